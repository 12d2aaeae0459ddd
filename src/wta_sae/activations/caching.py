"""Writes the activation cache: the residual stream of a language model after one block, shuffled across documents.

Shape suffixes: N cached tokens, B contexts of a batch, C contexts, L positions, D model width.
"""

import math
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wta_sae.activations.cache import MANIFEST_FILE, Manifest, Shard
from wta_sae.base.errors import UserError
from wta_sae.base.progress import progress_bar
from wta_sae.language_model.model import LanguageModel
from wta_sae.machine.files import file_sha256, resuming, write_json
from wta_sae.machine.tensor_files import array_sha256, read_tensors, write_tensors


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

    computed_by: code and versions (`wta_sae.machine.origin.computed_by`); shards of others are not taken over.

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
        shards: list[Future[Any]] = []  # of _Written
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
