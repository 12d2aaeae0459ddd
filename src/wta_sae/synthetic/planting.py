"""A world's tokens in an activation cache, on which SAEs train as on a language model's.

Shape suffixes: N tokens, D width.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wta_sae.activations.cache import Manifest
from wta_sae.activations.shards import Source, write_cache
from wta_sae.machine.files import file_sha256
from wta_sae.synthetic.world import read_world

HOOK_NAME = "synthetic"  # in the place of a block's name


def cache_world(
    directory: Path, world_file: Path, rows: int, shard_rows: int, seed: int, origin: Mapping[str, Any]
) -> Manifest:
    """Caches tokens of the world in a file. Its digest stands for a model's, so that SAEs are held to their own world."""
    world, sha256 = read_world(world_file), file_sha256(world_file)

    def rows_between(start: int, stop: int) -> Iterator[Tensor]:
        return (sample.x_ND for sample in world.samples(f"training tokens from {start}", stop - start))

    description = {"text": {"dataset": HOOK_NAME}, "prepend_bos": False, "synthetic": asdict(world.options)}
    source = Source(rows_between, world.options.width, HOOK_NAME, HOOK_NAME, sha256, "float32", 1, description)
    return write_cache(directory, source, rows, torch.float32, shard_rows, seed, {"world": sha256, **origin})
