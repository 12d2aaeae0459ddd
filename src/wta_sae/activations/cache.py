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

from wta_sae.base.errors import UserError
from wta_sae.machine.files import file_sha256, read_json
from wta_sae.machine.tensor_files import read_tensors

MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True)
class Shard:
    file: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a cache holds.

    norm_factor: sqrt(mean |x|^2) over all cached tokens; SAEs train on x / norm_factor. model_sha256: the model's digest.
    tokens: what the token file says of itself: text, packing, digest.
    """

    rows: int
    width: int
    dtype: str
    norm_factor: float
    hook_name: str
    model: str
    model_sha256: str
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

    def batches(self, batch_tokens: int, seed: int, epochs: int = 1, skip: int = 0) -> Iterator[Tensor]:
        """Batches (B, D) of the cache's dtype in a seeded random order: shards shuffled, rows shuffled within each shard.

        Every row comes once an epoch, but for the last floor-division remainder of all epochs together. skip: batches at the
        start that are left out; their shards are not read. Memory: one shard and one batch. Raises UserError for a damaged or
        missing shard, and for a row that is not finite.
        """
        unwanted = skip * batch_tokens
        generator = torch.Generator().manual_seed(seed)
        parts: list[Tensor] = []
        missing = batch_tokens
        for _ in range(epochs):
            for index in torch.randperm(len(self.manifest.shards), generator=generator).tolist():
                shard = self.manifest.shards[index]
                order_N = torch.randperm(shard.rows, generator=generator)
                if unwanted >= shard.rows:
                    unwanted -= shard.rows
                    continue
                rows_ND = self._rows(shard)
                order_N, unwanted = order_N[unwanted:], 0
                while len(order_N):
                    parts.append(_rows_at(rows_ND, order_N[:missing]))
                    order_N, missing = order_N[missing:], missing - len(parts[-1])
                    if not missing:
                        yield torch.cat(parts) if len(parts) > 1 else parts[0]
                        parts, missing = [], batch_tokens

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

    def _rows(self, shard: Shard) -> Tensor:
        path = self.directory / shard.file
        if not path.is_file():
            raise UserError(f"{path}: no such file, as where a cache was freed; {self._anew()}")
        if file_sha256(path) != shard.sha256:
            raise UserError(f"{path}: damaged (its checksum is not the manifest's); {self._anew()}")
        rows_ND = read_tensors(path, checked=True)[0].get("activations")
        wanted = (shard.rows, self.manifest.width)
        if rows_ND is None or rows_ND.shape != wanted:
            raise UserError(f"{path}: does not hold the activations {list(wanted)} that the manifest names; cache them anew")
        if not torch.stack(rows_ND.aminmax()).isfinite().all():  # a fiftieth of the time that isfinite takes on bfloat16
            row = int((~rows_ND.isfinite().all(1)).nonzero()[0])
            raise UserError(f"{path}: row {row} is not finite; cache the activations of a sound model anew")
        return rows_ND


def _rows_at(rows_ND: Tensor, places_B: Tensor) -> Tensor:
    """rows_ND[places_B]: by index_select, several times as fast on a CPU, and by words of eight bytes, thrice as fast again."""
    words = rows_ND.view(torch.int64) if rows_ND[0].nbytes % 8 == 0 else rows_ND
    return words.index_select(0, places_B).view(rows_ND.dtype)
