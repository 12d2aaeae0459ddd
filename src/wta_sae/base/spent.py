"""What a job took: time, processor and memory, as its log's last line.

Snakemake's own benchmark files come from samples half a minute apart: what a job does after the last one is missing there.
"""

import re
import resource
import sys
import time
from typing import NamedTuple

BYTES_A_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
_LINE = re.compile(r"^took ([\d.]+) s, ([\d.]+) s of processor time, ([\d.]+) MB at the most(, on a GPU)?$", re.MULTILINE)


class Spent(NamedTuple):
    """seconds: of the clock; processor_seconds: of all threads and child processes; megabytes: of the largest process.

    on_gpu: whether it had one.
    """

    seconds: float
    processor_seconds: float
    megabytes: float
    on_gpu: bool = False

    def __str__(self) -> str:
        processor = f"{self.processor_seconds:.2f} s of processor time"
        on_gpu = ", on a GPU" if self.on_gpu else ""
        return f"took {self.seconds:.3f} s, {processor}, {self.megabytes:.0f} MB at the most{on_gpu}"


def spent_since(start: float) -> Spent:
    """By this process and the child processes that have ended; `start`: its time.monotonic() then."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(one.ru_utime + one.ru_stime for one in used)
    torch = sys.modules.get("torch")  # which a job that computes nothing never loads
    on_gpu = bool(torch and torch.cuda.is_initialized())
    return Spent(time.monotonic() - start, processor, max(one.ru_maxrss for one in used) * BYTES_A_UNIT / 1e6, on_gpu)


def read_spent(log: str) -> Spent | None:
    """What the line in a log says; None where its job has written none."""
    found = _LINE.findall(log)
    if not found:
        return None
    *numbers, on_gpu = found[-1]
    seconds, processor_seconds, megabytes = map(float, numbers)
    return Spent(seconds, processor_seconds, megabytes, bool(on_gpu))
