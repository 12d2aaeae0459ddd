"""Activations whose true features are known: sparse sums of directions, as SAEs suppose a language model's to be.

Shape suffixes: N tokens, G true features, D width.

Source: the model of SynthSAEBench (SAELens), whose firing is thresholded normal noise too, with groups in place of its low-rank
correlations, and without its hierarchies.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.machine.tensor_files import read_tensors, write_tensors
from wta_sae.plan.world_options import MOST_FREQUENT, WorldOptions

TOKENS_AT_ONCE = 4096


class Sample(NamedTuple):
    """Tokens of a world. x_ND: their activations, float32; fires_NG: which features make them."""

    x_ND: Tensor
    fires_NG: Tensor


@dataclass(frozen=True)
class World:
    """directions_GD: of the features, unit rows. probabilities_G: of firing on a token. group_G: each feature's group."""

    options: WorldOptions
    seed: int
    directions_GD: Tensor
    probabilities_G: Tensor
    group_G: Tensor

    def samples(self, name: str, tokens: int) -> Iterator[Sample]:
        """The tokens of that name, a part at a time: the same for the same name, and for two names no token in common."""
        digest = hashlib.sha256(f"{self.seed} {name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7]))
        for first in range(0, tokens, TOKENS_AT_ONCE):
            yield self.sample(min(TOKENS_AT_ONCE, tokens - first), generator)

    def sample(self, tokens: int, generator: torch.Generator) -> Sample:
        """Tokens that do not depend on each other."""
        options = self.options
        shared_NG = torch.randn(tokens, int(self.group_G.max()) + 1, generator=generator)[:, self.group_G]
        own_NG = torch.randn(tokens, options.features, generator=generator)
        drive_NG = options.correlation**0.5 * shared_NG + (1 - options.correlation) ** 0.5 * own_NG
        fires_NG = drive_NG > torch.special.ndtri(1 - self.probabilities_G)
        sizes_NG = (options.magnitude_spread * torch.randn(tokens, options.features, generator=generator)).exp()
        noise_ND = options.noise * torch.randn(tokens, options.width, generator=generator)
        return Sample((sizes_NG * fires_NG) @ self.directions_GD + noise_ND, fires_NG)


def new_world(options: WorldOptions, seed: int) -> World:
    """Directions at random, as many true features as asked for, in groups at random."""
    generator = torch.Generator().manual_seed(seed)
    directions_GD = torch.randn(options.features, options.width, generator=generator)
    group_G = torch.randperm(options.features, generator=generator) // options.group_size
    return World(
        options,
        seed,
        torch.nn.functional.normalize(directions_GD, dim=1),
        firing_probabilities(options.features, options.active, options.zipf),
        group_G,
    )


def firing_probabilities(features: int, active: float, exponent: float) -> Tensor:
    """min(1/2, c i^-exponent) for i from 1, (G), with the c that makes `active` fire on average."""
    shape_G = torch.arange(1, features + 1, dtype=torch.float64) ** -exponent
    low, high = 0.0, MOST_FREQUENT / shape_G[-1].item()  # at the latter every feature fires as often as it may
    for _ in range(100):
        middle = (low + high) / 2
        enough = (middle * shape_G).clamp(max=MOST_FREQUENT).sum() >= active
        low, high = (low, middle) if enough else (middle, high)
    return (high * shape_G).clamp(max=MOST_FREQUENT).float()


def write_world(path: Path, world: World) -> None:
    tensors = {"directions": world.directions_GD, "probabilities": world.probabilities_G, "group": world.group_G}
    write_tensors(path, tensors, {"options": asdict(world.options), "seed": world.seed})


def read_world(path: Path) -> World:
    """Raises UserError where the file is not a world."""
    tensors, metadata = read_tensors(path)
    try:
        options = WorldOptions(**metadata["options"])
        return World(options, metadata["seed"], tensors["directions"], tensors["probabilities"], tensors["group"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: not a world of make-synthetic ({error}); make it anew") from error
