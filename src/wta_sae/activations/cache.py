"""The activation cache: residual-stream vectors on disk, shuffled across documents, streamed back in a seeded order.

Shape suffixes: N cached tokens, B tokens of a batch, C contexts, L positions, D model width.

A cache is a directory of safetensors shards, tensor `activations` (rows, D), and `manifest.json`. Special tokens (bos,
eos, pad) are left out: their residuals are outliers, and the metrics leave them out too (SAEBench).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wta_sae.activations.prefetch import one_ahead
from wta_sae.activations.shard_reader import ShardReader
from wta_sae.base.errors import UserError
from wta_sae.machine.devices import dtype_named
from wta_sae.machine.files import read_json

MANIFEST_FILE = "manifest.json"
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Shard:
    file: str
    rows: int
    xxh3: str  # `file_xxh3` of the file


@dataclass(frozen=True)
class Manifest:
    """What a cache holds.

    norm_factor: sqrt(mean |x|^2) over all cached tokens; SAEs train on x / norm_factor. model_sha256: the model's digest;
    model_dtype: what it computed in. tokens: what the token file says of itself: text, packing, digest.
    """

    rows: int
    width: int
    dtype: str
    norm_factor: float
    hook_name: str
    model: str
    model_sha256: str
    model_dtype: str
    context_size: int
    tokens: dict[str, Any]
    seed: int
    shards: tuple[Shard, ...]


class ActivationCache:
    """A cache on disk, read shard by shard. Raises UserError where the manifest is absent or damaged."""

    def __init__(self, directory: Path):
        self.directory = Path(directory)
        fields = read_json(self.directory / MANIFEST_FILE)
        try:
            shards = tuple(Shard(**shard) for shard in fields.pop("shards"))
            self.manifest = Manifest(**fields, shards=shards)
        except (TypeError, KeyError, AttributeError) as error:
            raise UserError(f"{self.directory / MANIFEST_FILE}: not a manifest of this version ({error})") from error

    def batches(
        self, batch_tokens: int, seed: int, epochs: int = 1, skip: int = 0, device: torch.device = CPU
    ) -> Iterator[Tensor]:
        """Batches (B, D) of the cache's dtype on the device, in a seeded random order: shards shuffled, rows within each shard.

        Every row comes once an epoch, but for the last floor-division remainder of all epochs together. The order depends on
        the seed alone. A shard goes to a GPU whole, and its batches are taken there. skip: batches at the start that are left
        out; their shards are not read. Memory, host and GPU alike: two shards, of which one is read while the other is used,
        and two batches; of a GPU's host one pinned shard. Raises UserError as `ShardReader.read`.
        """
        dtype = dtype_named(self.manifest.dtype)
        reader = ShardReader(self.directory, self.manifest.width, dtype, device, self._anew)

        def prepared(visit: tuple[Shard, Tensor]) -> tuple[Tensor, Tensor]:
            shard, order_N = visit
            return reader.read(shard.file, shard.rows, shard.xxh3), reader.brought(order_N)

        parts: list[Tensor] = []
        missing = batch_tokens
        for rows_ND, order_N in one_ahead(self._visits(seed, epochs, skip * batch_tokens), prepared):
            while len(order_N):
                parts.append(_rows_at(rows_ND, order_N[:missing]))
                order_N, missing = order_N[missing:], missing - len(parts[-1])
                if not missing:
                    yield torch.cat(parts) if len(parts) > 1 else parts[0]
                    parts, missing = [], batch_tokens

    def _visits(self, seed: int, epochs: int, unwanted: int) -> Iterator[tuple[Shard, Tensor]]:
        """The shards in the order in which they are used, each with that of its rows, without the first `unwanted` rows."""
        generator = torch.Generator().manual_seed(seed)
        for _ in range(epochs):
            for index in torch.randperm(len(self.manifest.shards), generator=generator).tolist():
                shard = self.manifest.shards[index]
                order_N = torch.randperm(shard.rows, generator=generator)[unwanted:]
                unwanted = max(unwanted - shard.rows, 0)
                if len(order_N):
                    yield shard, order_N

    def free(self) -> int:
        """Removes the shards, and leaves the manifest; returns how many bytes they took."""
        files = [path for shard in self.manifest.shards if (path := self.directory / shard.file).is_file()]
        taken = sum(path.stat().st_size for path in files)
        for path in files:
            path.unlink()
        return taken

    def _anew(self) -> str:
        """How to make the cache again so that what was trained on it stays, for the end of an error's line."""
        manifest = self.directory / MANIFEST_FILE
        return f"delete {self.directory}, ask for {manifest} by that name alone, then run the same command again"


def _rows_at(rows_ND: Tensor, places_B: Tensor) -> Tensor:
    """rows_ND[places_B], a copy: index_select is several times as fast on a CPU, words of eight bytes thrice as fast again."""
    words = rows_ND.view(torch.int64) if rows_ND[0].nbytes % 8 == 0 else rows_ND
    return words.index_select(0, places_B).view(rows_ND.dtype)
