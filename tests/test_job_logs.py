"""What Snakemake shows of a job."""

import io
import logging
import re

from snakemake_interface_logger_plugins.common import LogEvent

from wta_sae.base.job_logs import OneLine


def test_a_job_is_a_line_and_everything_else_stays():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(OneLine(handler))

    def emit(message, **extra):
        record = logging.LogRecord("snakemake.logging", logging.INFO, "", 0, message, None, None)
        vars(record).update(extra)
        handler.handle(record)

    emit("Select jobs to execute...")
    emit("rule x: pages", event=LogEvent.JOB_INFO, rule_name="train_sae", output=["results/demo/sae/x", "y"])
    emit("python -m wta_sae ...", event=LogEvent.SHELLCMD)
    emit("Finished jobid: 1", event=LogEvent.JOB_FINISHED)
    emit("1 of 3 steps (33%) done", event=LogEvent.PROGRESS)
    emit("Error in rule x", event=LogEvent.JOB_ERROR)
    emit("all", event=LogEvent.JOB_INFO, rule_name="all", output=[])
    lines = stream.getvalue().splitlines()
    assert [re.sub(r"\d\d:\d\d:\d\d", "TIME", line) for line in lines] == [
        "TIME train_sae results/demo/sae/x",
        "1 of 3 steps (33%) done",
        "Error in rule x",
        "TIME all",
    ]
