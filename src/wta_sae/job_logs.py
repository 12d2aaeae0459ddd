"""Which logs Snakemake shows of a failed job: those that its attempt wrote.

A job that Slurm refuses to take has written nothing, and Snakemake would show what an earlier attempt or run left as its own.
"""

import logging
from pathlib import Path

from snakemake_interface_logger_plugins.common import LogEvent

State = tuple[int, int] | None


class OwnLogs(logging.Filter):
    """Of Snakemake's logger: notes each job's logs when an attempt starts, and leaves out those that are as they were then."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[int, dict[str, State]] = {}  # job -> its logs

    def filter(self, record: logging.LogRecord) -> bool:
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            self.before[record.jobid] = {file: _state(file) for file in record.log}
        elif event == LogEvent.JOB_ERROR:
            before = self.before.get(record.jobid, {})
            record.log = [file for file in record.log if file not in before or before[file] != _state(file)]
        return True


def _state(file: str) -> State:
    try:
        status = Path(file).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
