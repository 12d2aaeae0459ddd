"""The activation cache: residual-stream vectors on disk, shuffled across documents, streamed back in a seeded order.

Shape suffixes: N cached tokens, B tokens of a batch, C contexts, L positions, D model width.

A cache is a directory of safetensors shards, tensor `activations` (rows, D), and `manifest.json`. Special tokens (bos,
eos, pad) are left out: their residuals are outliers, and the metrics leave them out too (SAEBench).
"""

import math
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wta_sae.errors import UserError
from wta_sae.files import (
    array_sha256,
    file_sha256,
    read_json,
    read_tensors,
    resuming,
    write_json,
    write_tensors,
)
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
    computed_by: Mapping[str, Any] | None = None,
) -> Manifest:
    """Writes the residuals of the first `rows` valid tokens of the shuffled contexts.

    Contexts are taken in a seeded random order, each shard's rows are shuffled: neighbours in the cache come from different
    documents. No shard depends on another, so that an interrupted job goes on with what its whole ones lack. A shard is
    written while the next one is computed; no more than these two are in memory.

    computed_by: code and versions (`wta_sae.origin.computed_by`); shards of others are not taken over.

    Raises UserError where the contexts hold fewer than `rows` valid tokens, or a residual is not finite.
    """
    if min(rows, shard_rows, batch_contexts) < 1:
        raise UserError("activations: tokens, shard_tokens and batch_contexts must be at least 1")
    if shard_rows < min(tokens_CL.shape[1], rows):
        raise UserError(
            f"activations.shard_tokens: {shard_rows} is less than a context's {tokens_CL.shape[1]} tokens, so that nothing "
            "would be mixed; raise it to many contexts"
        )
    tokens_CL = tokens_CL[torch.randperm(len(tokens_CL), generator=torch.Generator().manual_seed(seed))]
    ends_C = lm.valid(tokens_CL).sum(1).cumsum(0)
    available = int(ends_C[-1]) if len(ends_C) else 0
    if available < rows:
        raise UserError(
            f"activations.tokens: {rows:,} asked for, but the training text gives {available:,}; lower it or add text"
        )
    if not (directory / MANIFEST_FILE).exists():  # Snakemake has removed it, to make another cache of that name
        for shard in directory.glob("shard-*.safetensors"):
            shard.unlink()  # now, so that the disk need not hold both
    model_sha256 = lm.sha256()
    origin = {
        "model": model_sha256,
        "hook": lm.hook_name,
        "tokens": array_sha256(tokens_CL.numpy()),
        "seed": seed,
        "dtype": str(dtype),
        "sizes": [rows, shard_rows, batch_contexts],
        **(computed_by or {}),
    }
    with (
        resuming(directory, origin) as temporary,
        progress_bar("caching activations", rows, "token") as bar,
        ThreadPoolExecutor(max_workers=1) as writer,
    ):
        shards: list[Future[_Written]] = []
        for index in range(math.ceil(rows / shard_rows)):
            file = temporary / f"shard-{index:05d}.safetensors"
            start, stop = index * shard_rows, min((index + 1) * shard_rows, rows)
            found = writer.submit(_whole_shard, file) if file.exists() else None
            if found is not None and found.result() is not None:
                shards.append(found)
                bar.update(stop - start)
                continue
            shard_ND = torch.empty(stop - start, lm.width)
            place_N = torch.randperm(stop - start, generator=torch.Generator().manual_seed(seed + index)).argsort()
            squares, done = 0.0, 0
            # Straight to their shuffled places, and summed as they come: a copy of a whole shard would be a third in memory.
            for rows_ND in _residuals(lm, tokens_CL, ends_C, start, stop, batch_contexts):
                shard_ND.index_copy_(0, place_N[done : done + len(rows_ND)], rows_ND)
                squares += rows_ND.double().square().sum().item()
                done += len(rows_ND)
                bar.update(len(rows_ND))
            if shards:
                shards[-1].result()  # the one before it is on disk, or has failed
            shards.append(writer.submit(_write_shard, file, shard_ND.to(dtype), squares))
        written = [shard.result() for shard in shards]
        manifest = Manifest(
            rows=rows,
            width=lm.width,
            dtype=str(dtype).removeprefix("torch."),
            norm_factor=math.sqrt(sum(shard.squares for shard in written) / rows),
            hook_name=lm.hook_name,
            model=lm.source,
            model_sha256=model_sha256,
            context_size=tokens_CL.shape[1],
            tokens=token_metadata,
            seed=seed,
            shards=tuple(shard.shard for shard in written),
        )
        write_json(temporary / MANIFEST_FILE, asdict(manifest))
    return manifest


class _Written(NamedTuple):
    shard: Shard
    squares: float  # summed over all its values


def _write_shard(file: Path, rows_ND: Tensor, squares: float) -> _Written:
    write_tensors(file, {"activations": rows_ND}, {"squares": squares})
    return _Written(Shard(file.name, len(rows_ND), file_sha256(file)), squares)


def _whole_shard(file: Path) -> _Written | None:
    """A shard that an interrupted job left, read once through; None where it is damaged."""
    try:
        tensors, metadata = read_tensors(file)
    except UserError as error:
        print(f"{error}; computing it anew", file=sys.stderr)
        return None
    return _Written(Shard(file.name, len(tensors["activations"]), file_sha256(file)), metadata["squares"])


def _residuals(
    lm: LanguageModel, tokens_CL: Tensor, ends_C: Tensor, start: int, stop: int, batch_contexts: int
) -> Iterator[Tensor]:
    """Rows `start` to `stop` of the valid tokens' residuals, a batch of contexts at a time, float32 on the CPU.

    ends_C: the number of valid tokens up to each context, that context included.
    """
    first, last = (int(torch.searchsorted(ends_C, row, right=True)) for row in (start, stop - 1))
    taken = int(ends_C[first - 1]) if first else 0  # rows before the first context, some of which another shard has
    for batch_BL in tokens_CL[first : last + 1].split(batch_contexts):
        residual_ND = lm.residual(batch_BL)[lm.valid(batch_BL)].cpu()
        residual_ND = residual_ND[max(start - taken, 0) : stop - taken]
        taken = max(taken, start) + len(residual_ND)
        yield residual_ND


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
                    # index_select: several times as fast on a CPU as indexing by a tensor.
                    parts.append(rows_ND.index_select(0, order_N[:missing]))
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
        if not (finite_N := rows_ND.isfinite().all(1)).all():
            row = int((~finite_N).nonzero()[0])
            raise UserError(f"{path}: row {row} is not finite; cache the activations of a sound model anew")
        return rows_ND
