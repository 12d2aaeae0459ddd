"""Which SAEs a config asks for: the sweep, its further seeds, and the ablations. Free of torch: the Snakefile reads it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wta_sae.base.errors import UserError
from wta_sae.plan.ablations import ALL_ABLATIONS, LARGE, LARGE_WITHOUT_AUXILIARY, RELEASED_CODE
from wta_sae.plan.budgets import matched_rate
from wta_sae.plan.papers_variants import BASELINES, WTA
from wta_sae.plan.sae_files import CONFIG_FILE, WEIGHTS_FILE
from wta_sae.plan.winners import winners_per_latent
from wta_sae.variants.registry import variant_named
from wta_sae.variants.variant_options import VariantOptions

FOREIGN_FILES = (CONFIG_FILE, WEIGHTS_FILE)


@dataclass(frozen=True)
class SAESpec:
    """One SAE to train.

    k: active latents a token, or winners a latent and batch where the variant's budget is `rates`.
    options: the variant's own. rates: the nominal rates that give these winners. ablation: which one this is, or None for an
    ordinary SAE. packing, prepend_bos: of the contexts whose activations it trains on. training: what it has otherwise than
    the config's section of that name.
    """

    name: str
    variant: str
    k: int
    seed: int
    options: VariantOptions
    rates: tuple[float, ...] = ()
    ablation: str | None = None
    packing: str = "concatenated"
    prepend_bos: bool = True
    training: tuple[tuple[str, float], ...] = ()


def requested_saes(config: Mapping[str, Any]) -> list[SAESpec]:
    """Every SAE that a config asks for: the sweep, the tables' SAEs' further seeds, the ablations, the large dictionaries.

    The sweep holds each k and each rate of `saes`, and beside them Table 1's k and the rate that matches it, so that every
    variant is in the comparison at equal L0; rates that give a latent the same winners share one SAE. Raises UserError for a k
    above the number of latents, and where Table 1 wants a rate that is not in the sweep.
    """
    first_seed, *further_seeds = config["seeds"]
    contexts = {name: config["activations"][name] for name in ("packing", "prepend_bos")}
    sweep = [replace(spec, **contexts) for spec in _sweep(config, first_seed)]
    seeded = dict.fromkeys(table1_saes(sweep, config) + matched_saes(sweep, config))
    repeated = [replace(spec, name=f"{spec.name}-seed{seed}", seed=seed) for seed in further_seeds for spec in seeded]
    ablations = {name: RELEASED_CODE[name] for name in config["ablations"]}
    if len(ablations) > 1:
        ablations[ALL_ABLATIONS] = {key: value for changes in ablations.values() for key, value in changes.items()}
    ablated = _ordinary_at_rate(sweep, WTA, config["paper"]["table1_rate"])[0]
    return (
        sweep
        + repeated
        + [
            replace(with_settings(ablated, changes), name=f"{ablated.name}-{name}", ablation=name)
            for name, changes in ablations.items()
        ]
        + _large_saes(config)
    )


def _large_saes(config: Mapping[str, Any]) -> list[SAESpec]:
    """Those of `large_dictionary`, at Table 1's k, but of variants that the run leaves out.

    Raises UserError for fewer latents than k, and for one without its auxiliary loss that is not among them.
    """
    large, k = config["large_dictionary"], config["paper"]["table1_k"]
    if large is None:
        return []
    if k > large["latents"]:
        raise UserError(f"config: large_dictionary.latents: {large['latents']} is less than paper.table1_k, {k}; raise it")
    if unknown := sorted(set(large["without_auxiliary"]) - set(large["variants"])):
        raise UserError(f"config: large_dictionary.without_auxiliary: {unknown[0]!r} is not among large_dictionary.variants")
    contexts = {key: config["activations"][key] for key in ("packing", "prepend_bos")}
    latents = ("latents", large["latents"])
    specs = []
    for name, own in large["variants"].items():
        if (section := requested_variants(config).get(name)) is None:
            continue
        options = variant_named(name).options.from_config({**section, **own})
        kinds: dict[str, tuple[tuple[str, float], ...]] = {LARGE: (latents,)}
        if name in large["without_auxiliary"]:
            kinds[LARGE_WITHOUT_AUXILIARY] = (latents, ("auxiliary_coefficient", 0.0))
        for kind, training in kinds.items():
            for seed in large["seeds"]:
                suffix = "" if seed == config["seeds"][0] else f"-seed{seed}"
                spec = SAESpec(f"{name}-k{k}-{kind}{suffix}", name, k, seed, options, ablation=kind, training=training)
                specs.append(replace(spec, **contexts))
    return specs


def requested_variants(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The sections of `saes` by their variants; what a config sets to null, to leave it out of the run, is none of them."""
    return {name: section for name, section in config["saes"].items() if section is not None}


def foreign_saes(config: Mapping[str, Any], trained: Iterable[str]) -> dict[str, str]:
    """SAEs from elsewhere: name -> SAELens directory. Raises UserError where one is not there or has a trained one's name."""
    for name, folder in config["foreign_saes"].items():
        if name in trained:
            raise UserError(f"config: foreign_saes: {name!r} is the name of an SAE that this run trains; use another")
        missing = [file for file in FOREIGN_FILES if not (Path(folder) / file).is_file()]
        if missing and not config["bundle"]:  # a bundle has what is known of them
            raise UserError(
                f"config: foreign_saes.{name}: {folder} lacks {missing[0]}; give an SAE's directory in SAELens' format"
            )
    return dict(config["foreign_saes"])


def with_settings(spec: SAESpec, changes: Mapping[str, Any]) -> SAESpec:
    """The same SAE trained otherwise. changes: of the variant's options, and of the contexts."""
    of_options = {key: value for key, value in changes.items() if key in spec.options.schema()}
    of_contexts = {key: value for key, value in changes.items() if key not in of_options}
    return replace(spec, options=replace(spec.options, **of_options), **of_contexts)


def _sweep(config: Mapping[str, Any], seed: int) -> list[SAESpec]:
    latents, batch_tokens = config["training"]["latents"], config["training"]["batch_tokens"]
    specs = []
    for name, section in requested_variants(config).items():
        variant = variant_named(name)
        options = variant.options.from_config(section)
        if variant.budget == "k":
            ks = sorted({*section["k"], config["paper"]["table1_k"]})
            if ks[-1] > latents:
                raise UserError(f"saes.{name}.k: {ks[-1]} is not between 1 and training.latents ({latents})")
            specs += [SAESpec(f"{name}-k{k}", name, k, seed, options) for k in ks]
            continue
        rates_by_winners: dict[int, list[float]] = {}
        for rate in sorted({*section["rates"], matched_rate(config)}):
            rates_by_winners.setdefault(winners_per_latent(rate, batch_tokens), []).append(rate)
        specs += [SAESpec(f"{name}-k{k}", name, k, seed, options, tuple(rates)) for k, rates in rates_by_winners.items()]
    return specs


def table1_saes(specs: Iterable[SAESpec], config: Mapping[str, Any]) -> list[SAESpec]:
    """Table 1's ordinary SAEs, of every seed among `specs`: WTA at its rate, and the paper's baselines at its k."""
    at_k = [spec for spec in saes_at_k(specs, config) if spec.variant in BASELINES]
    return at_k + _ordinary_at_rate(specs, WTA, config["paper"]["table1_rate"])


def matched_saes(specs: Iterable[SAESpec], config: Mapping[str, Any]) -> list[SAESpec]:
    """Every variant's ordinary SAEs whose budget is Table 1's k, of every seed among `specs`."""
    at_rate = [name for name in requested_variants(config) if variant_named(name).budget == "rates"]
    return saes_at_k(specs, config) + [
        spec for name in at_rate for spec in _ordinary_at_rate(specs, name, matched_rate(config))
    ]


def trained_together(specs: Iterable[SAESpec], config: Mapping[str, Any]) -> list[list[SAESpec]]:
    """The SAEs, `training.saes_together` at most to a group: those of a group see the same batches in the same order.

    Table 1's come first, so that asking for them alone trains few others.
    """
    specs = list(specs)
    table1 = table1_saes(specs, config)
    streams: dict[Any, list[SAESpec]] = {}
    for spec in sorted(specs, key=lambda spec: spec not in table1):
        streams.setdefault((spec.packing, spec.prepend_bos, spec.seed, spec.training), []).append(spec)
    size = config["training"]["saes_together"]
    return [stream[start : start + size] for stream in streams.values() for start in range(0, len(stream), size)]


def _ordinary_at_rate(specs: Iterable[SAESpec], variant: str, rate: float) -> list[SAESpec]:
    specs = [spec for spec in specs if spec.variant == variant]
    found = [spec for spec in specs if rate in spec.rates and spec.ablation is None]
    if not found:
        rates = ", ".join(f"{r:g}" for r in sorted({rate for spec in specs for rate in spec.rates})) or "none"
        raise UserError(f"paper.table1_rate: {rate} is not among the rates in saes.{variant}: {rates}")
    return found


def saes_at_k(specs: Iterable[SAESpec], config: Mapping[str, Any]) -> list[SAESpec]:
    """The ordinary ones at Table 1's k, of every variant that has a k."""
    at_k = [name for name in requested_variants(config) if variant_named(name).budget == "k"]
    asked_for = [(name, config["paper"]["table1_k"], None) for name in at_k]
    return [spec for one in asked_for for spec in specs if (spec.variant, spec.k, spec.ablation) == one]
