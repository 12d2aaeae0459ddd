"""What a run measured on synthetic activations, whose true features are known."""

from functools import cached_property

import pandas as pd

from wta_sae.presentation.estimates import UNMEASURED, Estimate
from wta_sae.variants.registry import VARIANTS
from wta_sae.variants.variant import Variant


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
        return self._estimates.get((variant, VARIANTS[variant].rule_at_equal_l0, metric, exponent), UNMEASURED)

    @cached_property
    def _estimates(self) -> dict[tuple[str, str, str, float], Estimate]:
        keys = ["variant", "inference", "metric", "zipf_exponent"]
        found = self.table.groupby(keys)["value"].agg(["mean", "std", "count"])
        return {key: Estimate(float(mean), float(spread), seeds) for key, mean, spread, seeds in found.itertuples(name=None)}
