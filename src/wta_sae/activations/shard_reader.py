"""Shards of a cache brought to where they are used: each read once, into memory that is kept, and checked on the way.

Shape suffixes: N rows of a shard, D model width.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import cycle
from pathlib import Path

import torch
import xxhash
from safetensors import SafetensorError, safe_open
from torch import Tensor

from wta_sae.base.errors import UserError

PIECE = 2**20  # bytes; a piece is still in the processor's cache when its digest is taken


class ShardReader:
    """Reads shards of `width` and `dtype` from a directory to a device.

    On a CPU two shards are in memory: the one that is read and the one before it, whose memory the next one takes. For a GPU
    a shard goes through pinned memory, on a stream of its own, beside the kernels that work on the one before.
    anew: how to make the cache again, for the end of an error's line.
    """

    def __init__(self, directory: Path, width: int, dtype: torch.dtype, device: torch.device, anew: Callable[[], str]):
        self.directory, self.width, self.dtype, self.device, self.anew = directory, width, dtype, device, anew
        # Fresh memory for every shard would take several times as long to map as to fill.
        self._stages = cycle([_Stage(pinned=False), _Stage(pinned=False)] if device.type == "cpu" else [_Stage(pinned=True)])
        if device.type == "cuda":
            self._uses, self._copies = torch.cuda.current_stream(device), torch.cuda.Stream(device)

    def read(self, file: str, rows: int, digest: str) -> Tensor:
        """The shard's activations (N, D) on the device. On a CPU they last until the next but one is read.

        digest: what `file_xxh3` gives of the whole file. Raises UserError for a damaged or missing shard, for one of another
        shape or type than the cache's, and for a row that is not finite.
        """
        path = self.directory / file
        if not path.is_file():
            raise UserError(f"{path}: no such file, as where a cache was freed; {self.anew()}")
        content, found = next(self._stages).filled_from(path)
        if found != digest:
            raise UserError(f"{path}: damaged (its checksum is not the manifest's); {self.anew()}")
        self._check_header(path, rows)
        staged_ND = content[-rows * self.width * self.dtype.itemsize :].view(self.dtype).view(rows, self.width)
        rows_ND = self.brought(staged_ND)
        with self._beside_the_kernels():
            if not torch.stack(rows_ND.aminmax()).isfinite().all():  # on bfloat16 a fiftieth of the time that isfinite takes
                row = int((~rows_ND.isfinite().all(1)).nonzero()[0])
                raise UserError(f"{path}: row {row} is not finite; cache the activations of a sound model anew")
        return rows_ND

    def brought(self, tensor: Tensor) -> Tensor:
        """The tensor on the device, where it is when this returns; on a CPU itself."""
        if self.device.type == "cpu":
            return tensor
        with self._beside_the_kernels():
            there = tensor.to(self.device, non_blocking=True)
        self._copies.synchronize()  # pinned memory may be filled again after it
        there.record_stream(self._uses)  # memory of the copies' stream must outlast the kernels that read it
        return there

    def _beside_the_kernels(self) -> AbstractContextManager[None]:
        return torch.cuda.stream(self._copies) if self.device.type == "cuda" else nullcontext()

    def _check_header(self, path: Path, rows: int) -> None:
        wanted = [rows, self.width]
        try:
            with safe_open(path, framework="pt") as file:
                part = file.get_slice("activations")
                found, dtype = part.get_shape(), part[:1].dtype
        except SafetensorError:
            found, dtype = None, None
        if (found, dtype) != (wanted, self.dtype):
            raise UserError(
                f"{path}: does not hold the activations {wanted} of {self.dtype} that the manifest names; cache them anew"
            )


class _Stage:
    """Memory that files are read into, one after another; it grows to the largest."""

    def __init__(self, pinned: bool):
        self.pinned = pinned
        self.memory = torch.empty(0, dtype=torch.uint8)

    def filled_from(self, path: Path) -> tuple[Tensor, str]:
        """The file's bytes, in this memory, and their digest."""
        size = path.stat().st_size
        if len(self.memory) < size:
            self.memory = torch.empty(0, dtype=torch.uint8)  # the old one goes before the new one comes
            self.memory = torch.empty(size, dtype=torch.uint8, pin_memory=self.pinned)
        content = self.memory.numpy()[:size].data
        digest, done = xxhash.xxh3_128(), 0
        with path.open("rb", buffering=0) as file:
            while got := file.readinto(content[done : done + PIECE]):
                digest.update(content[done : done + got])
                done += got
        return self.memory[:size], digest.hexdigest()
