"""What a run measured: its tidy table of metrics, indexed once."""

from collections.abc import Callable
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from wta_sae.base.errors import UserError
from wta_sae.machine.files import anew
from wta_sae.metrics.columns import COLUMNS, FOREIGN
from wta_sae.plan.papers_variants import WTA
from wta_sae.presentation.estimates import UNMEASURED, Estimate, Sweep, pooled_spread
from wta_sae.presentation.synthetic_metrics import SyntheticMetrics
from wta_sae.variants.readout import Readout
from wta_sae.variants.registry import VARIANTS, variant_named
from wta_sae.variants.variant import Variant

SCR = "scr_metric_threshold_20"  # Table 1's
MATCHED_RULES = ("matched_topk", "matched_threshold", "matched_per_latent")  # of the comparison at equal L0
NUMERIC_COLUMNS = ("sparsity_rate", "k_per_token", "k_per_latent", "zipf_exponent", "value")
BUDGET_COLUMNS = {"rates": "sparsity_rate", "k": "k_per_token"}


def read_metrics(path: Path) -> "RunMetrics":
    """The metrics of a run. Raises UserError where the file is absent, empty, lacks a column, or measures something twice."""
    try:
        table = pd.read_csv(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a CSV of metrics ({error}); {anew(path)}") from error
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise UserError(f"{path}: lacks the column {missing[0]!r}; {anew(path)}")
    try:
        numbers = {name: pd.to_numeric(table[name]) for name in NUMERIC_COLUMNS}
    except ValueError as error:
        raise UserError(f"{path}: not a number ({error}); {anew(path)}") from error
    return RunMetrics(table.assign(**numbers))


class RunMetrics:
    """Means and spreads over seeds, by variant, budget, inference rule, metric and ablation.

    table: as `collect-metrics` writes it, of which the SAEs on a language model's activations are kept; `synthetic` has the
    others. Raises UserError where one seed has several values of one thing.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        of_language_model = table["zipf_exponent"].isna()
        self.table = table[of_language_model]
        self.synthetic = SyntheticMetrics(table[~of_language_model])
        self._estimates = _over_seeds(self.table)

    def of(self, variant: str, inference: str | None, metric: str, budget: float, ablation: str | None = None) -> Estimate:
        """One metric of the SAEs that differ in their seed only.

        inference: None for a number of the weights, which no inference rule changes. budget: a nominal rate of a variant that
        has rates, else active latents a token. ablation: the name of WTA's changed settings; None for SAEs trained with none.
        """
        return self._estimates.get((variant, _digits(budget), inference or "", metric, ablation or ""), UNMEASURED)

    def at(self, readout: Readout, metric: str, rate: float, k: int) -> Estimate:
        """A table's cell: at the nominal rate, or at k active latents a token, whichever the variant's budget is."""
        return self.of(readout.variant, readout.inference, metric, budget_of(readout.variant, rate, k))

    def of_weights(self, variant: str, metric: str, rate: float, k: int) -> Estimate:
        """A number of the weights, which is the same under every inference rule."""
        return self.of(variant, None, metric, budget_of(variant, rate, k))

    def first(self, metric: str) -> float:
        """A number that is the same for every SAE, from the first that has it; NaN where none has."""
        found = self.table.loc[self.table["metric"] == metric, "value"].dropna()
        return float(found.iloc[0]) if len(found) else UNMEASURED.mean

    def of_seed(self, seed: int) -> "RunMetrics":
        return RunMetrics(self.table[self.table["seed"] == seed])

    def budgets(self, variant: str) -> list[float]:
        """A variant's nominal rates, or its active latents a token, in rising order.

        Raises UserError where the table holds no SAE of that variant.
        """
        key = variant_named(variant).budget
        budgets = sorted(self._rows(variant)[BUDGET_COLUMNS[key]].dropna().unique().tolist())
        if not budgets:
            raise UserError(f"metrics: no {variant_named(variant).title} SAE in the table; add one under saes.{variant}.{key}")
        return budgets

    def variants(self) -> list[Variant]:
        """The registered variants that the table holds SAEs of."""
        return [variant for name, variant in VARIANTS.items() if len(self._rows(name))]

    def readouts(self) -> list[Readout]:
        """All readouts of these variants."""
        return [readout for variant in self.variants() for readout in variant.readouts]

    @cached_property
    def winners(self) -> dict[float, int]:
        """Winners per latent and batch at each nominal rate, in rising order; rates with the same number share one SAE."""
        rows = self._rows(WTA).dropna(subset=["sparsity_rate", "k_per_latent"])
        pairs = rows[["sparsity_rate", "k_per_latent"]].drop_duplicates("sparsity_rate").sort_values("sparsity_rate")
        return {float(rate): int(winners) for rate, winners in pairs.itertuples(index=False)}

    def groups(self, also: Callable[[float], object] = lambda rate: None) -> list[tuple[float, ...]]:
        """The nominal rates in rising order, those together that share one trained SAE, and `also` the same of it."""
        return [tuple(group) for _, group in groupby(self.winners, key=lambda rate: (self.winners[rate], also(rate)))]

    def records(self, readout: Readout) -> list[tuple[float, ...]]:
        """`groups` of the rates that have the same values under a readout, as rates that share an SAE need not."""
        names = self._rows(WTA)["metric"].unique()
        return self.groups(lambda rate: [self.of(WTA, readout.inference, name, rate).mean for name in names])

    def sweep(self, inference: str | None, metric: str) -> Sweep:
        """WTA's `metric` read out by `inference`; an SAE without it is left out."""

        def at(rate: float) -> Estimate:
            return self.of(WTA, inference, metric, rate)

        found = [group for group in self.groups(lambda rate: at(rate).mean) if not np.isnan(at(group[0]).mean)]
        points = [at(group[0]) for group in found]
        return Sweep(tuple(found), tuple(point.mean for point in points), *pooled_spread(points))

    def curve(self, readout: Readout, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """The budgets of the readout's variant, and `metric` at each.

        Raises UserError, naming what is missing: a value, or every SAE of that variant.
        """
        budgets = self.budgets(readout.variant)
        return np.array(budgets), np.array([self.required(readout, metric, budget) for budget in budgets])

    def required(self, readout: Readout, metric: str, budget: float) -> float:
        """A number that a figure cannot do without. Raises UserError, naming metric and SAE, where it was not measured."""
        mean = self.of(readout.variant, readout.inference, metric, budget).mean
        if np.isnan(mean):
            kind = "rate" if variant_named(readout.variant).budget == "rates" else "k"
            sae = f"{readout.variant}, {kind} {budget:g}, read out by {readout.inference!r}"
            raise UserError(f"metrics: {metric!r} of {sae}, is missing; evaluate it")
        return mean

    def foreign(self, *names: str) -> dict[str, tuple[float, ...]]:
        """Of each SAE from elsewhere that has them all: its name -> these metrics."""
        rows = self._rows(FOREIGN).pivot_table(index="sae", columns="metric", values="value")
        found = rows.reindex(columns=list(names)).dropna()
        return {str(sae): tuple(map(float, values)) for sae, *values in found.itertuples(name=None)}

    def why_undefined(self, metric: str) -> str | None:
        """The reason where some SAE has a row without a value: the metric is undefined for it. None where none has."""
        if not self.table.loc[self.table["metric"] == metric, "value"].isna().any():
            return None
        if metric.startswith("scr_metric"):  # see `wta_sae.metrics.scr`
            return "the probe that was to be biased follows attribute and concept alike, so that there is nothing to remove"
        return "it is 0/0"

    def _rows(self, variant: str) -> pd.DataFrame:
        return self.table[self.table["variant"] == variant]


def budget_of(variant: str, rate: float, k: int) -> float:
    """Which of a variant's SAEs stands beside the others': that at the nominal rate, or that at k."""
    return rate if variant_named(variant).budget == "rates" else k


def _over_seeds(table: pd.DataFrame) -> dict[tuple[str, float, str, str, str], Estimate]:
    measured = table[table["value"].notna() & table["variant"].isin(VARIANTS)].reset_index(drop=True)
    kinds = measured["variant"].map(lambda name: variant_named(name).budget)
    budgets = measured["sparsity_rate"].where(kinds == "rates", measured["k_per_token"])
    rows = pd.DataFrame(
        {
            "variant": measured["variant"],
            "budget": budgets.map(_digits),
            "inference": measured["inference"].astype(object).fillna(""),
            "metric": measured["metric"],
            "ablation": measured["ablation"].astype(object).fillna(""),
        }
    )
    names = list(rows)
    # An SAE trained by hand may have no nominal rate: nothing asks for it.
    rows = rows.join(measured[["seed", "value", "sae"]]).dropna(subset=["budget"])
    twice = rows[rows.duplicated([*names, "seed"], keep=False)]
    if len(twice):
        one = twice.iloc[0]
        saes = ", ".join(sorted(twice.loc[(twice[names] == one[names]).all(axis=1), "sae"].unique()))
        raise UserError(
            f"metrics: several values of {one['metric']!r} for {one['variant']}, inference {one['inference'] or None}, in one "
            f"seed ({saes})"
        )
    means = rows.groupby(names)["value"].agg(["mean", "std", "count"])
    return {key: Estimate(float(mean), float(spread), seeds) for key, mean, spread, seeds in means.itertuples(name=None)}


def _digits(budget: float) -> float:
    """A budget as the index has it: a rate that was computed another way is the same one."""
    return float(f"{budget:.9g}")
