"""Writes an activation cache piece by piece, wherever its rows come from.

Shape suffixes: N rows of a shard.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wta_sae.activations.cache import MANIFEST_FILE, Manifest, Shard
from wta_sae.base.errors import UserError
from wta_sae.base.progress import progress_bar
from wta_sae.machine.files import file_xxh3, resuming, write_json
from wta_sae.machine.tensor_files import read_tensors, write_tensors


@dataclass(frozen=True)
class Source:
    """Where a cache's rows come from. rows_between: rows `start` to `stop` in pieces, float32 on any device, in their order.

    The rest is as in `wta_sae.activations.cache.Manifest`.
    """

    rows_between: Callable[[int, int], Iterator[Tensor]]
    width: int
    hook_name: str
    model: str
    model_sha256: str
    model_dtype: str
    context_size: int
    tokens: dict[str, Any]


def write_cache(
    directory: Path, source: Source, rows: int, dtype: torch.dtype, shard_rows: int, seed: int, origin: Mapping[str, Any]
) -> Manifest:
    """Writes a source's first `rows` rows; each shard's rows are shuffled.

    No shard depends on another, so that an interrupted job goes on with what its whole ones lack. A shard is written while the
    next one is computed; no more than these two are in memory.

    origin: of what the rows are, beside the sizes; shards of another are not taken over.
    """
    if min(rows, shard_rows) < 1:
        raise UserError("activations: tokens and shard_tokens must be at least 1")
    if not (directory / MANIFEST_FILE).exists():  # Snakemake has removed it, to make another cache of that name
        for shard in directory.glob("shard-*.safetensors"):
            shard.unlink()  # now, so that the disk need not hold both
    with (
        resuming(directory, {**origin, "seed": seed, "dtype": str(dtype), "sizes": [rows, shard_rows]}) as temporary,
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
            shard_ND = torch.empty(stop - start, source.width, dtype=dtype)
            place_N = torch.randperm(stop - start, generator=torch.Generator().manual_seed(seed + index)).argsort()
            squares, done = 0.0, 0
            # Straight to their shuffled places, and summed as they come: a copy of a whole shard would be a third in memory.
            for rows_ND in source.rows_between(start, stop):
                shard_ND.index_copy_(0, place_N[done : done + len(rows_ND)], rows_ND.to(dtype).cpu())
                squares += rows_ND.double().square().sum().item()
                done += len(rows_ND)
                bar.update(len(rows_ND))
            if shards:
                shards[-1].result()  # the one before it is on disk, or has failed
            shards.append(writer.submit(_write_shard, file, shard_ND, squares))
        written = [shard.result() for shard in shards]
        manifest = Manifest(
            rows=rows,
            width=source.width,
            dtype=str(dtype).removeprefix("torch."),
            norm_factor=math.sqrt(sum(shard.squares for shard in written) / rows),
            hook_name=source.hook_name,
            model=source.model,
            model_sha256=source.model_sha256,
            model_dtype=source.model_dtype,
            context_size=source.context_size,
            tokens=source.tokens,
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
    return _Written(Shard(file.name, len(rows_ND), file_xxh3(file)), squares)


def _whole_shard(file: Path) -> _Written | None:
    """A shard that an interrupted job left, read once through; None where it is damaged."""
    try:
        tensors, metadata = read_tensors(file)
    except UserError as error:
        print(f"{error}; computing it anew", file=sys.stderr)
        return None
    return _Written(Shard(file.name, len(tensors["activations"]), file_xxh3(file)), metadata["squares"])
