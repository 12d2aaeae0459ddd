"""What a run trains and evaluates, and which of it goes into which table."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from wta_sae.plan.papers_variants import COMPARED_IN_PAPER, WTA
from wta_sae.plan.saes import (
    SAESpec,
    foreign_saes,
    matched_saes,
    requested_saes,
    saes_at_k,
    table1_saes,
    trained_together,
)
from wta_sae.plan.synthetic import WorldSpec, planted_saes, requested_worlds


@dataclass(frozen=True)
class RunPlan:
    """The SAEs of a run by their names.

    saes: those that it trains; foreign: those from elsewhere, with their directories. sweep: the WTA SAEs of the first seed.
    compared: those whose metrics on labelled texts are wanted too: the tables', and all of a variant whose budget is `rates`.
    together: the groups in which they are trained. ordinary: all that are no ablation. worlds: of the synthetic activations;
    planted: the SAEs that train on them, not among `saes`, as `planted_saes` has them.
    """

    saes: dict[str, SAESpec]
    foreign: dict[str, str]
    table1: tuple[str, ...]
    matched: tuple[str, ...]
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

        Of one on synthetic activations, what it found of their true features.
        """
        if sae in self.on_synthetic:
            return ["truth"]
        on_texts = ["texts"] if self._is_compared(sae) else []
        return ["tokens", *on_texts, *(["matched"] if sae in self.matched else [])]

    def token_families(self, sae: str) -> list[str]:
        """The families of metrics of an SAE's evaluation on tokens; the slow one only of those that are on texts too."""
        return ["core", "subspace", "geometry"] if self._is_compared(sae) else ["core", "geometry"]

    @cached_property
    def collections(self) -> dict[str, dict[str, list[str]]]:
        """The tidy tables by their names: the SAEs of each, and which of an SAE's evaluations."""
        return {
            "metrics": {sae: self.evaluations(sae) for sae in [*self.saes, *self.foreign, *self.on_synthetic]},
            "table1": {sae: ["tokens", "texts"] for sae in self.table1},
            "figure2": {sae: ["tokens"] for sae in self.ordinary if self.saes[sae].variant in COMPARED_IN_PAPER},
            "figure3": {sae: ["tokens"] for sae in [*self.ordinary, *self.foreign]},
            "figure4": {sae: ["truth"] for sae in self.on_synthetic},
            "table_matched": {sae: ["matched"] for sae in self.matched},
        }

    def _is_compared(self, sae: str) -> bool:
        return sae in {*self.compared, *self.foreign}


def run_plan(config: Mapping[str, Any]) -> RunPlan:
    """Raises UserError where the config asks for an SAE that cannot be, or leaves out one that a table needs."""
    specs = requested_saes(config)
    ordinary = [spec for spec in specs if spec.ablation is None]
    first = [spec for spec in ordinary if spec.seed == config["seeds"][0]]
    table1 = table1_saes(specs, config)
    compared = [*table1, *saes_at_k(specs, config), *(spec for spec in first if spec.rates)]
    return RunPlan(
        saes={spec.name: spec for spec in specs},
        foreign=foreign_saes(config, {spec.name for spec in specs}),
        table1=_names(table1),
        matched=_names(matched_saes(specs, config)),
        ordinary=_names(ordinary),
        sweep=_names([spec for spec in first if spec.variant == WTA]),
        compared=_names(compared),
        together=tuple(map(_names, trained_together(specs, config))),
        worlds={world.name: world for world in requested_worlds(config)},
        planted=planted_saes(config),
    )


def _names(specs: list[SAESpec]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(spec.name for spec in specs))
