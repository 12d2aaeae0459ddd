"""Which SAEs a config asks for: the sweep, its further seeds, and the ablations. Free of torch: the Snakefile reads it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wta_sae.base.errors import UserError
from wta_sae.plan.ablations import ALL_ABLATIONS, RELEASED_CODE
from wta_sae.plan.budgets import matched_rate
from wta_sae.plan.sae_files import CONFIG_FILE, WEIGHTS_FILE
from wta_sae.plan.winners import winners_per_latent
from wta_sae.variants.registry import variant_named

FOREIGN_FILES = (CONFIG_FILE, WEIGHTS_FILE)


@dataclass(frozen=True)
class SAESpec:
    """One SAE to train.

    k: active latents a token, or winners a latent and batch where the variant's budget is `rates`.
    rates: the nominal rates that give these winners. ablation: which one this is, or None for an ordinary SAE.
    gate, rescale_encoder_bias: see `wta_sae.training.trainer.Trainer`. packing, prepend_bos: of the contexts whose
    activations it trains on.
    """

    name: str
    variant: str
    k: int
    seed: int
    rates: tuple[float, ...] = ()
    ablation: str | None = None
    gate: str = "never"
    rescale_encoder_bias: bool = True
    packing: str = "concatenated"
    prepend_bos: bool = True


def requested_saes(config: Mapping[str, Any]) -> list[SAESpec]:
    """Every SAE that a config asks for: the sweep, the further seeds of the tables' SAEs, and the ablations.

    The sweep holds each k and each rate of `saes`, and the matched rate beside them; rates that give a latent the same winners
    share one SAE. Raises UserError for an unknown variant, a k above the number of latents, a rate outside (0, 1], a missing
    budget, and where Table 1 wants a rate or k that is not in the sweep.
    """
    first_seed, *further_seeds = config["seeds"]
    contexts = {name: config["activations"][name] for name in ("packing", "prepend_bos")}
    sweep = [replace(spec, **contexts) for spec in _sweep(config, first_seed)]
    seeded = dict.fromkeys(table1_saes(sweep, config) + matched_saes(sweep, config))
    repeated = [replace(spec, name=f"{spec.name}-seed{seed}", seed=seed) for seed in further_seeds for spec in seeded]
    ablations = {name: RELEASED_CODE[name] for name in config["ablations"]}
    if len(ablations) > 1:
        ablations[ALL_ABLATIONS] = {key: value for changes in ablations.values() for key, value in changes.items()}
    ablated = wta_at_rate(sweep, config["paper"]["table1_rate"])
    return (
        sweep
        + repeated
        + [replace(ablated, name=f"{ablated.name}-{name}", ablation=name, **changes) for name, changes in ablations.items()]
    )


def foreign_saes(config: Mapping[str, Any], trained: Iterable[str]) -> dict[str, str]:
    """SAEs from elsewhere: name -> SAELens directory. Raises UserError where one is not there or has a trained one's name."""
    for name, folder in config["foreign_saes"].items():
        if name in trained:
            raise UserError(f"config: foreign_saes: {name!r} is the name of an SAE that this run trains; use another")
        for file in FOREIGN_FILES:
            if not (Path(folder) / file).is_file():
                raise UserError(
                    f"config: foreign_saes.{name}: {folder} lacks {file}; give an SAE's directory in SAELens' format"
                )
    return dict(config["foreign_saes"])


def _sweep(config: Mapping[str, Any], seed: int) -> list[SAESpec]:
    latents, batch_tokens = config["training"]["latents"], config["training"]["batch_tokens"]
    specs = []
    for name, options in config["saes"].items():
        budget, options = variant_named(name).budget, dict(options)
        if budget not in options:
            raise UserError(f"saes.{name}: wants the key {budget!r}, but has: {', '.join(options) or 'none'}")
        values = options.pop(budget)
        if budget == "k":
            if options:
                raise UserError(f"saes.{name}: wants the key 'k' and no other, but has: {', '.join(options)}")
            for k in values:
                if not 1 <= k <= latents:
                    raise UserError(f"saes.{name}.k: {k} is not between 1 and training.latents ({latents})")
            specs += [SAESpec(f"{name}-k{k}", name, k, seed) for k in sorted(values)]
            continue
        rates_by_winners: dict[int, list[float]] = {}
        for rate in sorted({*values, matched_rate(config)}):
            if not 0 < rate <= 1:
                raise UserError(f"saes.{name}.rates: {rate} is not in (0, 1]")
            rates_by_winners.setdefault(winners_per_latent(rate, batch_tokens), []).append(rate)
        specs += [SAESpec(f"{name}-k{k}", name, k, seed, tuple(rates), **options) for k, rates in rates_by_winners.items()]
    return specs


def table1_saes(specs: Iterable[SAESpec], config: Mapping[str, Any]) -> list[SAESpec]:
    """Table 1's ordinary SAEs, of every seed among `specs`: WTA at its rate, and the other variants at its k."""
    return _at_k(specs, config) + _ordinary_at_rate(specs, config["paper"]["table1_rate"])


def matched_saes(specs: Iterable[SAESpec], config: Mapping[str, Any]) -> list[SAESpec]:
    """The ordinary SAEs whose budget is Table 1's k, of every seed among `specs`."""
    return _at_k(specs, config) + _ordinary_at_rate(specs, matched_rate(config))


def trained_together(specs: Iterable[SAESpec], config: Mapping[str, Any]) -> list[list[SAESpec]]:
    """The SAEs, `training.saes_together` at most to a group: those of a group see the same batches in the same order.

    Table 1's come first, so that asking for them alone trains few others.
    """
    specs = list(specs)
    table1 = table1_saes(specs, config)
    streams: dict[Any, list[SAESpec]] = {}
    for spec in sorted(specs, key=lambda spec: spec not in table1):
        streams.setdefault((spec.packing, spec.prepend_bos, spec.seed), []).append(spec)
    size = config["training"]["saes_together"]
    return [stream[start : start + size] for stream in streams.values() for start in range(0, len(stream), size)]


def wta_at_rate(specs: Iterable[SAESpec], rate: float) -> SAESpec:
    """The first ordinary SAE trained for a nominal rate. Raises UserError where none was asked for at that rate."""
    return _ordinary_at_rate(specs, rate)[0]


def _ordinary_at_rate(specs: Iterable[SAESpec], rate: float) -> list[SAESpec]:
    found = [spec for spec in specs if rate in spec.rates and spec.ablation is None]
    if not found:
        rates = ", ".join(f"{r:g}" for r in sorted({rate for spec in specs for rate in spec.rates})) or "none"
        raise UserError(f"paper.table1_rate: {rate} is not among the rates in saes: {rates}")
    return found


def _at_k(specs: Iterable[SAESpec], config: Mapping[str, Any]) -> list[SAESpec]:
    k, found = config["paper"]["table1_k"], []
    for variant in config["saes"]:
        if variant_named(variant).budget == "k":
            chosen = [spec for spec in specs if (spec.variant, spec.k) == (variant, k)]
            if not chosen:
                known = ", ".join(str(spec.k) for spec in specs if spec.variant == variant)
                raise UserError(f"paper.table1_k: {k} is not among the k in saes.{variant}: {known}")
            found += chosen
    return found
