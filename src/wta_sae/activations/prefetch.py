"""The next item prepared while this one is in use."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def one_ahead(items: Iterable[T], prepared: Callable[[T], U]) -> Iterator[U]:
    """The prepared items in order, each read and prepared in a thread while the one before is in use."""
    source = iter(items)

    def read() -> list[U]:
        return [prepared(item) for item in islice(source, 1)]  # empty at the end

    with ThreadPoolExecutor(max_workers=1) as thread:
        ahead = thread.submit(read)
        while found := ahead.result():
            ahead = thread.submit(read)
            yield from found
