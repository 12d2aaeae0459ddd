"""What a run trains and evaluates, and which of it goes into which table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from wta_sae.plan.papers_variants import COMPARED_IN_PAPER, WTA
from wta_sae.plan.saes import (
    SAESpec,
    foreign_saes,
    matched_saes,
    requested_saes,
    table1_saes,
    trained_together,
)
from wta_sae.plan.synthetic import WorldSpec, planted_saes, requested_worlds


@dataclass(frozen=True)
class RunPlan:
    """The SAEs of a run by their names.

    saes: those that it trains; foreign: those from elsewhere, with their directories. browsed: Table 1's of the first
    seed, whose latents are shown. sweep: the WTA SAEs of that seed.
    matched: those that are compared at equal L0; paired: of each of them the one of the next seed, where there is one.
    compared: those whose metrics on labelled texts are wanted by their own rules too: Table 1's, and all of a variant whose
    budget is `rates`. repeated: further seeds of what the paper does not compare, which are read out at equal L0 alone.
    together: the groups in which they are trained. ordinary: all that are no ablation. worlds: of the synthetic activations;
    planted: the SAEs that train on them, not among `saes`, as `planted_saes` has them.
    """

    saes: dict[str, SAESpec]
    foreign: dict[str, str]
    table1: tuple[str, ...]
    browsed: tuple[str, ...]
    matched: tuple[str, ...]
    paired: dict[str, str]
    repeated: tuple[str, ...]
    ordinary: tuple[str, ...]
    sweep: tuple[str, ...]
    compared: tuple[str, ...]
    together: tuple[tuple[str, ...], ...]
    worlds: dict[str, WorldSpec]
    planted: dict[str, list[SAESpec]]

    @cached_property
    def on_synthetic(self) -> tuple[str, ...]:
        """The SAEs that train on synthetic activations."""
        return tuple(spec.name for specs in self.planted.values() for spec in specs)

    def evaluations(self, sae: str) -> list[str]:
        """The evaluations of an SAE: on tokens all, on labelled texts those that are compared and those from elsewhere.

        At equal L0 as `at_equal_l0` has them. Of one on synthetic activations, what it found of their true features.
        """
        if sae in self.on_synthetic:
            return ["truth"]
        on_texts = ["texts"] if self._is_compared(sae) else []
        return ["tokens", *on_texts, *(self.at_equal_l0(sae) if sae in self.matched else [])]

    def at_equal_l0(self, sae: str) -> list[str]:
        """The evaluations of a matched SAE at that L0, and of its latents beside those of the next seed."""
        return ["matched", "matched_texts", *(["stability"] if sae in self.paired else [])]

    def token_families(self, sae: str) -> list[str]:
        """The families of metrics of an SAE's evaluation on tokens; the slow one only of those that are on texts too."""
        if sae in self.repeated:
            return ["geometry"]
        return ["core", "subspace", "geometry"] if self._is_compared(sae) else ["core", "geometry"]

    @cached_property
    def per_latent(self) -> dict[str, list[str]]:
        """Evaluation -> the SAEs of which it keeps what it found of each latent."""
        evaluated = {sae: self.evaluations(sae) for sae in [*self.saes, *self.foreign]}
        return {kind: [sae for sae, kinds in evaluated.items() if kind in kinds] for kind in ("tokens", "matched")}

    @cached_property
    def collections(self) -> dict[str, dict[str, list[str]]]:
        """The tidy tables by their names: the SAEs of each, and which of an SAE's evaluations."""
        return {
            "metrics": {sae: self.evaluations(sae) for sae in [*self.saes, *self.foreign, *self.on_synthetic]},
            "table1": {sae: ["tokens", "texts"] for sae in self.table1},
            "figure2": {sae: ["tokens"] for sae in self.ordinary if self.saes[sae].variant in COMPARED_IN_PAPER},
            "figure3": {sae: ["tokens"] for sae in [*self.ordinary, *self.foreign] if sae not in self.repeated},
            "figure4": {sae: ["truth"] for sae in self.on_synthetic},
            "table_matched": {sae: ["matched"] for sae in self.matched},
            "outlook": {sae: ["tokens", *self.at_equal_l0(sae)] for sae in self.matched},
        }

    def _is_compared(self, sae: str) -> bool:
        return sae in {*self.compared, *self.foreign}


def run_plan(config: Mapping[str, Any]) -> RunPlan:
    """Raises UserError where the config asks for an SAE that cannot be, or leaves out one that a table needs."""
    specs = requested_saes(config)
    ordinary = [spec for spec in specs if spec.ablation is None]
    first = [spec for spec in ordinary if spec.seed == config["seeds"][0]]
    table1 = table1_saes(specs, config)
    matched = matched_saes(specs, config)
    compared = [*table1, *(spec for spec in first if spec.rates)]
    return RunPlan(
        saes={spec.name: spec for spec in specs},
        foreign=foreign_saes(config, {spec.name for spec in specs}),
        table1=_names(table1),
        browsed=_names([spec for spec in table1 if spec in first]),
        matched=_names(matched),
        paired=_paired(matched),
        repeated=_names([spec for spec in matched if spec not in first and spec.variant not in COMPARED_IN_PAPER]),
        ordinary=_names(ordinary),
        sweep=_names([spec for spec in first if spec.variant == WTA]),
        compared=_names(compared),
        together=tuple(map(_names, trained_together(specs, config))),
        worlds={world.name: world for world in requested_worlds(config)},
        planted=planted_saes(config),
    )


def _paired(specs: Iterable[SAESpec]) -> dict[str, str]:
    """Of each SAE the one of the next seed, the first's after the last: as many pairs as seeds, but one for two seeds."""
    kinds: dict[SAESpec, list[str]] = {}
    for spec in specs:
        kinds.setdefault(replace(spec, name="", seed=0), []).append(spec.name)
    pairs: dict[str, str] = {}
    for names in kinds.values():
        following = [*names[1:], names[0]] if len(names) > 2 else names[1:]
        pairs |= dict(zip(names, following, strict=False))
    return pairs


def _names(specs: list[SAESpec]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(spec.name for spec in specs))
