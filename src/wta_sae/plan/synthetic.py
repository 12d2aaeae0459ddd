"""The SAEs that train on synthetic activations, and the worlds that these are of. Free of torch: the Snakefile reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from wta_sae.base.errors import UserError
from wta_sae.plan.saes import SAESpec, requested_variants
from wta_sae.plan.schedule import check_threshold_start, steps_of
from wta_sae.plan.winners import winners_per_latent
from wta_sae.plan.world_options import WorldOptions
from wta_sae.variants.registry import variant_named


@dataclass(frozen=True)
class WorldSpec:
    """A world of true features: its exponent and its seed, which is also that of the SAEs that train on it."""

    name: str
    zipf: float
    seed: int


def requested_worlds(config: Mapping[str, Any]) -> list[WorldSpec]:
    """One for each exponent and seed; none where `synthetic` is null."""
    synthetic = config["synthetic"]
    if synthetic is None:
        return []
    return [WorldSpec(f"zipf{zipf:g}-seed{seed}", zipf, seed) for zipf in synthetic["zipf"] for seed in config["seeds"]]


def world_options(synthetic: Mapping[str, Any]) -> dict[str, Any]:
    """What all worlds of a section `synthetic` have in common: `WorldOptions` without the exponent."""
    return {one.name: synthetic[one.name] for one in fields(WorldOptions) if one.name != "zipf"}


def planted_saes(config: Mapping[str, Any]) -> dict[str, list[SAESpec]]:
    """Of every variant of the run the SAEs at `synthetic.k`, one for each world in its order, by what they have in common.

    Raises UserError for a world, a k or a schedule that cannot be.
    """
    worlds = requested_worlds(config)
    if not worlds:
        return {}
    synthetic = config["synthetic"]
    k, training = synthetic["k"], synthetic["training"]
    latents, batch_tokens = training["latents"], training["batch_tokens"]
    if k > latents:
        raise UserError(f"config: synthetic.k: {k} is not between 1 and synthetic.training.latents, {latents}")
    for world in worlds:
        WorldOptions(**world_options(synthetic) | {"zipf": world.zipf})
    if synthetic["shard_tokens"] < batch_tokens:
        raise UserError(
            f"config: synthetic.shard_tokens: {synthetic['shard_tokens']:,} is less than synthetic.training.batch_tokens, "
            f"{batch_tokens:,}; raise it"
        )
    steps = steps_of(synthetic["tokens"], training["epochs"], batch_tokens)
    check_threshold_start(training["threshold_start_step"], steps)
    planted = {}
    for name, section in requested_variants(config).items():
        variant = variant_named(name)
        rates = (k / latents,) if variant.budget == "rates" else ()
        own_k = winners_per_latent(rates[0], batch_tokens) if rates else k
        variant.check_k(own_k, latents, batch_tokens)
        options = variant.options.from_config(section)
        planted[f"{name}-k{own_k}"] = [
            SAESpec(f"{name}-k{own_k}-{world.name}", name, own_k, world.seed, options, rates) for world in worlds
        ]
    return planted
