"""Progress bars: live in a terminal, one line every few seconds in a log file."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 5.0
T = TypeVar("T")


class _WholeLines:
    """A log file's view of tqdm: each refresh becomes a line of its own instead of overwriting the last."""

    def write(self, text: str) -> None:
        text = text.replace("\r", "").strip()
        if text:
            sys.stderr.write(text + "\n")

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
