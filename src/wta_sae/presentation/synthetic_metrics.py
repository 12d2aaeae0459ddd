"""What a run measured on synthetic activations, whose true features are known."""

from functools import cached_property

import pandas as pd

from wta_sae.presentation.estimates import UNMEASURED, Estimate
from wta_sae.variants.registry import VARIANTS
from wta_sae.variants.variant import Variant

# At equal L0 a variant is read out in the form of its own rule; all that have one threshold or one a latent of their own by the
# latter, which alone does justice to a variant that gives each latent its winners.
_EQUAL_L0 = {"topk": "matched_topk", "threshold": "matched_threshold"}


def form_at_equal_l0(variant: Variant) -> str:
    """The rule of the comparison at equal L0 that is nearest to the variant's own."""
    return _EQUAL_L0.get(variant.readouts[0].inference, "matched_per_latent")


class SyntheticMetrics:
    """Means and spreads over seeds, by variant and exponent. table: the rows of `collect-metrics` that have an exponent."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table

    @cached_property
    def exponents(self) -> list[float]:
        return sorted(self.table["zipf_exponent"].unique().tolist())

    @cached_property
    def variants(self) -> list[Variant]:
        """The registered ones that the table holds SAEs of."""
        there = set(self.table["variant"])
        return [variant for name, variant in VARIANTS.items() if name in there]

    def of(self, variant: str, metric: str, exponent: float) -> Estimate:
        """A variant's value at equal L0, each in its own form."""
        return self._estimates.get((variant, form_at_equal_l0(VARIANTS[variant]), metric, exponent), UNMEASURED)

    @cached_property
    def _estimates(self) -> dict[tuple[str, str, str, float], Estimate]:
        keys = ["variant", "inference", "metric", "zipf_exponent"]
        found = self.table.groupby(keys)["value"].agg(["mean", "std", "count"])
        return {key: Estimate(float(mean), float(spread), seeds) for key, mean, spread, seeds in found.itertuples(name=None)}
