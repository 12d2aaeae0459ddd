"""What tells variants apart at equal L0 on the language model, each read out in the form of its own rule."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from wta_sae.metrics.columns import DENSITY_CLASSES
from wta_sae.plan.ablations import LARGE, LARGE_WITHOUT_AUXILIARY
from wta_sae.plan.papers_variants import COMPARED_IN_PAPER
from wta_sae.presentation.estimates import Estimate, over_seeds_of
from wta_sae.presentation.run_metrics import SCR, RunMetrics, budget_of
from wta_sae.variants.registry import variant_named
from wta_sae.variants.variant import Variant


class Column(NamedTuple):
    """A column of the outlook's table. of_weights: whether no inference rule changes it; direction: the better one."""

    metric: str
    title: str
    digits: int
    direction: str
    of_weights: bool = False


MEASURES = (
    Column("l0", "$L_0$", 1, "none"),
    Column("explained_variance", "EV", 3, "higher"),
    Column("ce_loss_score", "CE score", 3, "higher"),
    Column("frac_alive", "Alive", 3, "higher"),
    Column("sae_test_accuracy", "Probing", 3, "higher"),
    Column(SCR, "SCR", 2, "higher"),
    Column("tpp_threshold_20_total_metric", "TPP", 3, "higher"),
    Column("seed_stability", "Stable", 3, "higher", of_weights=True),
    Column("found_again", "Found", 3, "higher", of_weights=True),
    Column("mean_absolute_decoder_cosine_sim", "Mean $|\\cos|$", 3, "lower", of_weights=True),
)
CHANCE = "chance_stability"
OF_WEIGHTS = {CHANCE, *(one.metric for one in MEASURES if one.of_weights)}


@dataclass(frozen=True)
class Outlook:
    """matched_rate: the nominal rate whose budget is k, active latents a token."""

    metrics: RunMetrics
    matched_rate: float
    k: int

    @cached_property
    def variants(self) -> list[Variant]:
        """Those that were evaluated at equal L0."""
        return [one for one in self.metrics.variants() if self.of(one.name, "l0").seeds]

    @cached_property
    def beyond_the_paper(self) -> list[Variant]:
        """Those of them that the paper does not compare."""
        return [one for one in self.variants if one.name not in COMPARED_IN_PAPER]

    def of(self, variant: str, metric: str) -> Estimate:
        rule = None if metric in OF_WEIGHTS else variant_named(variant).rule_at_equal_l0
        return self.metrics.of(variant, rule, metric, budget_of(variant, self.matched_rate, self.k))

    def of_large(self, variant: str, ablation: str, metric: str) -> Estimate:
        """Of the SAEs with a large dictionary, read out by their own rule. ablation: LARGE, or without the auxiliary loss."""
        rule = None if metric == "dead_latents" else variant_named(variant).readouts[0].inference
        return self.metrics.of(variant, rule, metric, self.k, ablation)

    @cached_property
    def large(self) -> list[tuple[Variant, str]]:
        """Each variant with a large dictionary, and which of the two it is."""
        found = [(one, ablation) for one in self.metrics.variants() for ablation in (LARGE, LARGE_WITHOUT_AUXILIARY)]
        return [(one, ablation) for one, ablation in found if self.of_large(one.name, ablation, "l0").seeds]

    def over_seeds(self, value: Callable[["Outlook"], float]) -> Estimate:
        """What a function gives of each seed's SAEs alone."""
        seeds = self.metrics.table["seed"].dropna().unique()
        return over_seeds_of([value(Outlook(self.metrics.of_seed(seed), self.matched_rate, self.k)) for seed in seeds])

    def stability_at_equal_use(self, variant: str, other: str) -> tuple[float, float]:
        """The mean stability of two variants' latents, both as if they were used as often as the first's are.

        Over the classes of density in which both have latents. NaN where there is none.
        """
        rows = [
            [
                self.of(name, f"{measured}_at_density_{lowest:g}").mean
                for name, measured in ((variant, "latents"), (variant, "stability"), (other, "stability"))
            ]
            for lowest in DENSITY_CLASSES
        ]
        shared = [row for row in rows if not math.isnan(sum(row))]
        total = sum(share for share, _, _ in shared)
        if not total:
            return math.nan, math.nan
        return sum(share * own / total for share, own, _ in shared), sum(share * theirs / total for share, _, theirs in shared)
