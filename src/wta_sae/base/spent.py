"""What a job took: time, processor and memory, as its log's last line.

Snakemake's own benchmark files come from samples half a minute apart: what a job does after the last one is missing there.
"""

import re
import resource
import sys
import time
from typing import NamedTuple

BYTES_A_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
_LINE = re.compile(r"^took ([\d.]+) s, ([\d.]+) s of processor time, ([\d.]+) MB at the most$", re.MULTILINE)


class Spent(NamedTuple):
    """seconds: of the clock; processor_seconds: of all threads and child processes; megabytes: of the largest process."""

    seconds: float
    processor_seconds: float
    megabytes: float

    def __str__(self) -> str:
        return (
            f"took {self.seconds:.2f} s, {self.processor_seconds:.2f} s of processor time, {self.megabytes:.0f} MB at the most"
        )


def spent_since(start: float) -> Spent:
    """By this process and the child processes that have ended; `start`: its time.monotonic() then."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(one.ru_utime + one.ru_stime for one in used)
    return Spent(time.monotonic() - start, processor, max(one.ru_maxrss for one in used) * BYTES_A_UNIT / 1e6)


def read_spent(log: str) -> Spent | None:
    """What the line in a log says; None where its job has written none."""
    found = _LINE.findall(log)
    return Spent(*map(float, found[-1])) if found else None
