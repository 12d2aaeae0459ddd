"""The activation cache: residual-stream vectors on disk, shuffled across documents, streamed back in a seeded order.

Shape suffixes: N cached tokens, B tokens of a batch, C contexts, L positions, D model width.

A cache is a directory of safetensors shards, tensor `activations` (rows, D), and `manifest.json`. Special tokens (bos,
eos, pad) are left out: their residuals are outliers, and the metrics leave them out too (SAEBench).
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wta_sae.errors import UserError
from wta_sae.files import file_sha256, read_json, read_tensors, replacing, write_json, write_tensors
from wta_sae.language_model import LanguageModel
from wta_sae.progress import progress_bar

MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True)
class Shard:
    file: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a cache holds.

    norm_factor: sqrt(mean |x|^2) over all cached tokens; SAEs train on x / norm_factor.
    tokens: what the token file says of itself: text, packing, digest.
    """

    rows: int
    width: int
    dtype: str
    norm_factor: float
    hook_name: str
    model: str
    context_size: int
    tokens: dict[str, Any]
    seed: int
    shards: tuple[Shard, ...]


def cache_activations(
    directory: Path,
    lm: LanguageModel,
    tokens_CL: Tensor,
    token_metadata: dict[str, Any],
    rows: int,
    dtype: torch.dtype,
    shard_rows: int,
    batch_contexts: int,
    seed: int,
) -> Manifest:
    """Writes the residuals of the first `rows` valid tokens of the shuffled contexts, or nothing at all where it fails.

    Contexts are taken in a seeded random order; their tokens pass through a pool of two shards' size from which each
    shard is drawn at random, so that neighbours in the cache come from different documents.

    Raises UserError where the contexts hold fewer than `rows` valid tokens, or a residual is not finite.
    """
    if min(rows, shard_rows, batch_contexts) < 1:
        raise UserError("activations: tokens, shard_tokens and batch_contexts must be at least 1")
    generator = torch.Generator().manual_seed(seed)
    tokens_CL = tokens_CL[torch.randperm(len(tokens_CL), generator=generator)]
    available = int(lm.valid(tokens_CL).sum())
    if available < rows:
        raise UserError(
            f"activations.tokens: {rows:,} asked for, but the training text gives {available:,}; lower it or add text"
        )
    squares = 0.0
    shards: list[Shard] = []
    with replacing(directory) as temporary, progress_bar("caching activations", rows, "token") as bar:
        temporary.mkdir()
        pool: list[Tensor] = []
        pooled = taken = 0
        for residual_BD in _valid_residuals(lm, tokens_CL, batch_contexts):
            residual_BD = residual_BD[: rows - taken]
            if not torch.isfinite(residual_BD).all():
                raise UserError(f"{lm.source}: its residual stream at {lm.hook_name} is not finite near token {taken:,}")
            taken += len(residual_BD)
            squares += residual_BD.double().square().sum().item()
            pool.append(residual_BD.to(dtype).cpu())
            pooled += len(residual_BD)
            bar.update(len(residual_BD))
            while pooled >= 2 * shard_rows or (taken == rows and pooled):
                mixed = torch.cat(pool)
                mixed = mixed[torch.randperm(pooled, generator=generator)]
                file = temporary / f"shard-{len(shards):05d}.safetensors"
                write_tensors(file, {"activations": mixed[:shard_rows]})
                shards.append(Shard(file.name, min(pooled, shard_rows), file_sha256(file)))
                pool, pooled = [mixed[shard_rows:]], max(pooled - shard_rows, 0)
            if taken == rows:
                break
        manifest = Manifest(
            rows=rows,
            width=lm.width,
            dtype=str(dtype).removeprefix("torch."),
            norm_factor=math.sqrt(squares / rows),
            hook_name=lm.hook_name,
            model=lm.source,
            context_size=tokens_CL.shape[1],
            tokens=token_metadata,
            seed=seed,
            shards=tuple(shards),
        )
        write_json(temporary / MANIFEST_FILE, asdict(manifest))
    return manifest


def _valid_residuals(lm: LanguageModel, tokens_CL: Tensor, batch_contexts: int) -> Iterator[Tensor]:
    for batch_BL in tokens_CL.split(batch_contexts):
        yield lm.residual(batch_BL)[lm.valid(batch_BL)]


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

    def batches(self, batch_tokens: int, seed: int, epochs: int = 1) -> Iterator[Tensor]:
        """Batches (B, D) float32 in a seeded random order: shards shuffled, rows shuffled within each shard.

        Every row comes once an epoch, but for the last floor-division remainder of all epochs together. Memory: one
        shard and one batch. Raises UserError for a damaged or missing shard.
        """
        generator = torch.Generator().manual_seed(seed)
        rest = torch.empty(0, self.manifest.width)
        for _ in range(epochs):
            for index in torch.randperm(len(self.manifest.shards), generator=generator).tolist():
                rows_ND = self._rows(self.manifest.shards[index])
                order_N = torch.randperm(len(rows_ND), generator=generator)
                for chosen in order_N.split(batch_tokens):
                    rest = torch.cat([rest, rows_ND[chosen].float()])
                    if len(rest) >= batch_tokens:
                        yield rest[:batch_tokens]
                        rest = rest[batch_tokens:]

    def _rows(self, shard: Shard) -> Tensor:
        path = self.directory / shard.file
        if path.is_file() and file_sha256(path) != shard.sha256:
            raise UserError(f"{path}: damaged (its checksum is not the manifest's); delete {self.directory} and run again")
        tensors, _ = read_tensors(path)
        return tensors["activations"]
