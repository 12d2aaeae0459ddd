"""What Snakemake shows of a job: one line when it starts, and where it fails the logs that its attempt wrote.

A job that Slurm refuses to take has written nothing, and Snakemake would show what an earlier attempt or run left as its own.
"""

import logging
import time
from pathlib import Path

from snakemake_interface_logger_plugins.common import LogEvent

PAGES = (LogEvent.JOB_INFO, LogEvent.JOB_STARTED, LogEvent.SHELLCMD, LogEvent.JOB_FINISHED)
SELECTING = "Select jobs to execute..."
State = tuple[int, int] | None


class OwnLogs(logging.Filter):
    """Of Snakemake's logger: notes each job's logs when an attempt starts, and leaves out those that are as they were then."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[int, dict[str, State]] = {}  # job -> its logs

    def filter(self, record: logging.LogRecord) -> bool:
        told = vars(record)  # Snakemake's, beside what every record has
        event = told.get("event")
        if event == LogEvent.JOB_INFO:
            self.before[told["jobid"]] = {file: _state(file) for file in told["log"]}
        elif event == LogEvent.JOB_ERROR:
            before = self.before.get(told["jobid"], {})
            told["log"] = [file for file in told["log"] if file not in before or before[file] != _state(file)]
        return True


class OneLine(logging.Filter):
    """Of a handler that writes to a terminal: a line in place of each job's pages, with the time, its rule and its output.

    Snakemake's own line of how many jobs are done follows when it has ended. The file of Snakemake's log keeps all.
    """

    def __init__(self, handler: logging.StreamHandler) -> None:
        super().__init__()
        self.handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        told = vars(record)
        event = told.get("event")
        if event == LogEvent.JOB_INFO:
            output = next(iter(told["output"] or []), "")
            self.handler.stream.write(f"{time.strftime('%H:%M:%S')} {told['rule_name']} {output}".rstrip() + "\n")
            self.handler.flush()
        return event not in PAGES and record.getMessage() != SELECTING


def shorten_jobs() -> None:
    """Makes Snakemake show a job in a line, on every handler that writes no file."""
    for handler in logging.getLogger("snakemake.logging").handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.addFilter(OneLine(handler))


def _state(file: str) -> State:
    try:
        status = Path(file).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
