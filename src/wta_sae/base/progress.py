"""Progress bars: live in a terminal, one line every few seconds in a log file, and of a workflow's job now and then one beside.

A job of the workflow has its output in a log file. So that a person sees how far it is, a line reaches the terminal too, or
wherever Snakemake writes: through the file descriptor whose number is in TERMINAL_VARIABLE (see workflow/rules/common.smk).
"""

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_TERMINAL_LINES = 10.0
TERMINAL_VARIABLE = "WTA_SAE_TERMINAL"
T = TypeVar("T")


class _Terminal:
    """Where a job's progress is shown beside its log: one line at most every SECONDS_BETWEEN_TERMINAL_LINES."""

    def __init__(self) -> None:
        self.job = ""
        self.last = time.monotonic()

    def write(self, text: str) -> None:
        descriptor, now = os.environ.get(TERMINAL_VARIABLE, ""), time.monotonic()
        if descriptor.isdigit() and now - self.last >= SECONDS_BETWEEN_TERMINAL_LINES:
            self.last = now
            with contextlib.suppress(OSError):  # closed: nobody is there to see it
                os.write(int(descriptor), f"{self.job}: {text}\n".encode())


_terminal = _Terminal()


def name_job(name: str) -> None:
    """What this process's lines on the terminal begin with, where several jobs write there."""
    _terminal.job = name


class _WholeLines:
    """A log file's view of tqdm: each refresh becomes a line of its own instead of overwriting the last."""

    def write(self, text: str) -> None:
        text = text.replace("\r", "").strip()
        if text:
            sys.stderr.write(text + "\n")
            _terminal.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def progress_bar(description: str, total: int, unit: str, done: int = 0) -> tqdm:
    """done: what an earlier job has done of it."""
    if sys.stderr.isatty():
        return tqdm(desc=description, total=total, unit=unit, initial=done, unit_scale=True, dynamic_ncols=True)
    return tqdm(
        desc=description,
        total=total,
        initial=done,
        unit=unit,
        unit_scale=True,
        file=_WholeLines(),
        mininterval=SECONDS_BETWEEN_LINES,
        maxinterval=2 * SECONDS_BETWEEN_LINES,
        ascii=True,
        bar_format="{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}]",
    )


def progress(items: Iterable[T], description: str, total: int, unit: str, done: int = 0) -> Iterator[T]:
    """Yields the items and counts them on a bar, from `done` on."""
    with progress_bar(description, total, unit, done) as bar:
        for item in items:
            yield item
            bar.update()
