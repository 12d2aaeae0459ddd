"""Batches brought to the device while the step before them runs.

Shape suffixes: B tokens of a batch, D model width.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
U = TypeVar("U")


def on_device(batches: Iterable[Tensor], device: torch.device) -> Iterator[Tensor]:
    """The batches (B, D) on the device. For a GPU a thread reads and copies one ahead; on a CPU they pass as they are.

    The copies run from pinned memory on a stream of their own, beside the kernels of the step before.
    """
    if device.type == "cpu":
        yield from batches
        return
    copies = torch.cuda.Stream(device)

    def copied(batch_BD: Tensor) -> tuple[Tensor, torch.cuda.Event]:
        with torch.cuda.stream(copies):
            return batch_BD.pin_memory().to(device, non_blocking=True), copies.record_event()

    for batch_BD, arrival in one_ahead(batches, copied):
        step = torch.cuda.current_stream(device)
        step.wait_event(arrival)
        batch_BD.record_stream(step)  # its memory belongs to the other stream, and must not be reused before the step is done
        yield batch_BD


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
