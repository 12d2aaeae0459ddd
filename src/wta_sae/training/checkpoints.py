"""Checkpoints of a long job: what it needs to go on, bit for bit, after it was killed or told to stop."""

import json
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from wta_sae.base.ending import SIGNALS, end
from wta_sae.base.errors import UserError, first_line
from wta_sae.machine.files import differing
from wta_sae.machine.tensor_files import read_tensor_metadata, read_tensors, write_tensors

KEPT = 2  # one is enough, unless the disk damages it


class Checkpoints:
    """The checkpoints of the job that makes `out`: safetensors files in a hidden folder beside it, each whole or absent.

    Beside it, because Snakemake removes the outputs of a failed job. origin: what the job computes from, as JSON; checkpoints
    of a job of another origin are passed over, and go with the first of this one. seconds: between two checkpoints.

    A job needs none to end well: one that cannot be read or written is told of, and the job goes on without it.
    """

    def __init__(self, out: Path, origin: Any, seconds: float) -> None:
        self.directory = out.with_name(f".{out.name}.checkpoints")
        self.origin = json.loads(json.dumps(origin))
        self.seconds = seconds
        self.last_save = time.monotonic()

    def latest(self) -> tuple[dict[str, Tensor], Any] | None:
        """The tensors and the state saved last, or None; a file that is damaged or of another origin is passed over."""
        told = set()
        for file in reversed(self._files()):
            try:
                origin = read_tensor_metadata(file).get("origin")
                if origin == self.origin:
                    tensors, metadata = read_tensors(file)
                    return tensors, metadata["state"]
                why = f"left by a job of other {differing(self.origin, origin)}"
            except UserError:
                why = "damaged"
            if why not in told:
                print(f"{file}: {why}; passed over", file=sys.stderr)
                told.add(why)
        return None

    def due(self) -> bool:
        return time.monotonic() - self.last_save >= self.seconds

    def save(self, step: int, tensors: dict[str, Tensor], state: Any) -> None:
        """Writes a checkpoint, and removes all but the last ones."""
        self.last_save = time.monotonic()
        file = self.directory / f"step-{step:09d}.safetensors"
        try:
            write_tensors(file, tensors, {"origin": self.origin, "state": state})
            own = [name for name in self._files() if name <= file]
            for old in set(self._files()) - set(own[-KEPT:]):
                old.unlink()
        except (UserError, OSError, MemoryError, RuntimeError) as error:  # the last is torch's when memory is short
            print(f"no checkpoint at step {step}: {first_line(error)}; going on without it", file=sys.stderr)

    def clear(self) -> None:
        """Removes them all: the job is done."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(self.directory.glob("step-*.safetensors"))


@contextmanager
def stopping_at_leisure() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Inside the block SIGTERM (a cluster's time limit) and SIGINT wait for the job to be between two steps.

    Yields a function that the job calls there: where a signal has come it runs the job's last act and ends the process.
    """
    received: list[int] = []
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    for number in handlers:
        signal.signal(number, lambda number, _frame: received.append(number))

    def stop_if_told(last_act: Callable[[], None]) -> None:
        if received:
            last_act()
            end(received[0])

    try:
        yield stop_if_told
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) is not signal.SIG_IGN:  # of a process that ends
                signal.signal(number, handler)
