"""What the presentation is made from: a run's tidy table of metrics, and the numbers that the paper prints."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wta_sae.base.errors import UserError
from wta_sae.machine.files import anew
from wta_sae.metrics.columns import COLUMNS, FOREIGN
from wta_sae.plan.papers_variants import WTA
from wta_sae.variants.readout import Readout
from wta_sae.variants.registry import VARIANTS, variant_named
from wta_sae.variants.variant import Variant

SCR = "scr_metric_threshold_20"  # Table 1's
MATCHED_RULES = ("matched_topk", "matched_threshold", "matched_per_latent")  # of the comparison at equal L0


def read_metrics(path: Path) -> pd.DataFrame:
    """The tidy metrics of a run. Raises UserError where the file is absent, empty, or lacks a column."""
    try:
        metrics = pd.read_csv(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a CSV of metrics ({error}); {anew(path)}") from error
    missing = [column for column in COLUMNS if column not in metrics]
    if missing:
        raise UserError(f"{path}: lacks the column {missing[0]!r}; {anew(path)}")
    try:
        numbers = {name: pd.to_numeric(metrics[name]) for name in ("sparsity_rate", "k_per_token", "k_per_latent", "value")}
    except ValueError as error:
        raise UserError(f"{path}: not a number ({error}); {anew(path)}") from error
    return metrics.assign(**numbers)


def by_seed(
    metrics: pd.DataFrame,
    *,
    variant: str,
    inference: str | None,
    metric: str,
    sparsity_rate: float | None = None,
    k: int | None = None,
    ablation: str | None = None,
) -> pd.Series:
    """One metric of the SAEs that differ in their seed only: a value for each seed that measured it (neither empty nor NaN).

    inference: None for a number of the weights, which no inference rule changes. sparsity_rate: the nominal one, of a variant
    that has rates; k: active latents a token, of one that has those (`budget_of`). ablation: the name of WTA's changed
    settings; None for the SAEs trained with none.
    Raises UserError where the selection is ambiguous: several values for one seed.
    """
    chosen = metrics[
        (metrics["variant"] == variant)
        & (metrics["metric"] == metric)
        & _is(metrics["inference"], inference)
        & _is(metrics["ablation"], ablation)
        & metrics["value"].notna()
    ]
    if sparsity_rate is not None:
        chosen = chosen[np.isclose(chosen["sparsity_rate"], sparsity_rate, rtol=1e-9, atol=0)]
    if k is not None:
        chosen = chosen[chosen["k_per_token"] == k]
    twice = chosen["seed"].duplicated(keep=False)
    if twice.any():
        names = ", ".join(sorted(chosen.loc[twice, "sae"].astype(str).unique()))
        raise UserError(f"metrics: several values of {metric!r} for {variant}, inference {inference}, in one seed ({names})")
    return chosen.set_index("seed")["value"]


def why_undefined(metrics: pd.DataFrame, metric: str) -> str | None:
    """The reason where some SAE of the run has a row without a value: the metric is undefined for it. None where none has."""
    if not metrics.loc[metrics["metric"] == metric, "value"].isna().any():
        return None
    if metric.startswith("scr_metric"):  # see `wta_sae.metrics.scr`
        return "the probe that was to be biased follows attribute and concept alike, so that there is nothing to remove"
    return "it is 0/0"


def value(metrics: pd.DataFrame, **selection: Any) -> float | None:
    """The mean over seeds of what `by_seed` selects; None where the run did not measure it."""
    found = by_seed(metrics, **selection)
    return None if found.empty else float(found.mean())


def spread(metrics: pd.DataFrame, **selection: Any) -> float | None:
    """The sample standard deviation over seeds (n - 1 below the line) of what `by_seed` selects; None with fewer than two."""
    found = by_seed(metrics, **selection)
    return None if len(found) < 2 else float(found.std(ddof=1))


def _is(column: pd.Series, name: str | None) -> pd.Series:
    """Which cells hold `name`; None stands for an empty cell."""
    return column.isna() if name is None else column == name


def readout_value(metrics: pd.DataFrame, readout: Readout, metric: str, rate: float, k: int) -> float | None:
    """`value` of a table's column: at the nominal `rate`, or at `k` active latents a token (`budget_of`)."""
    return value(metrics, inference=readout.inference, metric=metric, **_sae(readout, rate, k))


def readout_spread(metrics: pd.DataFrame, readout: Readout, metric: str, rate: float, k: int) -> float | None:
    """`spread` of what `readout_value` averages."""
    return spread(metrics, inference=readout.inference, metric=metric, **_sae(readout, rate, k))


def weights_value(metrics: pd.DataFrame, readout: Readout, metric: str, rate: float, k: int) -> float | None:
    """`readout_value` of a number of the weights, which is the same under every inference rule."""
    return value(metrics, inference=None, metric=metric, **_sae(readout, rate, k))


def _sae(readout: Readout, rate: float, k: int) -> dict[str, Any]:
    return {"variant": readout.variant, **budget_of(readout.variant, rate, k)}


def budget_of(variant: str, rate: float, k: int) -> dict[str, float]:
    """Which of a variant's SAEs, as `by_seed` takes it: that at the nominal rate, or that at k, whichever its budget is."""
    return {"sparsity_rate": rate} if variant_named(variant).budget == "rates" else {"k": k}


def budgets_of(metrics: pd.DataFrame, variant: str) -> list[float]:
    """A variant's nominal rates, or its active latents a token, in rising order.

    Raises UserError where the table holds no SAE of that variant.
    """
    key = variant_named(variant).budget
    column = {"rates": "sparsity_rate", "k": "k_per_token"}[key]
    budgets = sorted(metrics.loc[metrics["variant"] == variant, column].dropna().unique().tolist())
    if not budgets:
        raise UserError(f"metrics: no {variant_named(variant).title} SAE in the table; add one under saes.{variant}.{key}")
    return budgets


def variants_in(metrics: pd.DataFrame) -> list[Variant]:
    """The registered variants that the table holds SAEs of."""
    return [variant for name, variant in VARIANTS.items() if (metrics["variant"] == name).any()]


def readouts_in(metrics: pd.DataFrame) -> list[Readout]:
    """All readouts of these variants."""
    return [readout for variant in variants_in(metrics) for readout in variant.readouts]


def winners_by_rate(metrics: pd.DataFrame) -> dict[float, int]:
    """Winners per latent and batch at each nominal rate: rates with the same number share one trained SAE."""
    rows = metrics[metrics["variant"] == WTA].dropna(subset=["sparsity_rate", "k_per_latent"])
    pairs = rows[["sparsity_rate", "k_per_latent"]].drop_duplicates("sparsity_rate").sort_values("sparsity_rate")
    return {float(rate): int(winners) for rate, winners in pairs.itertuples(index=False)}


def rates_sharing_an_sae(winners: dict[float, int]) -> Iterator[list[float]]:
    """The rates in rising order, those that share one SAE together."""
    group: list[float] = []
    for rate in sorted(winners):
        if group and winners[rate] != winners[group[-1]]:
            yield group
            group = []
        group.append(rate)
    if group:
        yield group


def foreign_values(metrics: pd.DataFrame, *names: str) -> dict[str, tuple[float, ...]]:
    """Of each SAE from elsewhere that has them all: its name -> these metrics."""
    rows = metrics[metrics["variant"] == FOREIGN].pivot_table(index="sae", columns="metric", values="value")
    found = rows.reindex(columns=list(names)).dropna()
    return {str(sae): tuple(map(float, values)) for sae, *values in found.itertuples(name=None)}


def required_value(metrics: pd.DataFrame, readout: Readout, metric: str, budget: float) -> float:
    """A number that a figure cannot do without. budget: a nominal rate, or active latents a token.

    Raises UserError, naming the metric and the SAE, where the run did not measure it.
    """
    found = value(metrics, inference=readout.inference, metric=metric, **_sae(readout, rate=budget, k=budget))
    if found is None:
        name = f"rate {budget:g}" if variant_named(readout.variant).budget == "rates" else f"k {budget:g}"
        raise UserError(
            f"metrics: {metric!r} of {readout.variant}, {name}, read out by {readout.inference!r}, is missing; evaluate it"
        )
    return found


def curve(metrics: pd.DataFrame, readout: Readout, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """`budgets_of` the readout's variant, and `metric` at each.

    Raises UserError, naming what is missing: a value, or every SAE of that variant.
    """
    budgets = budgets_of(metrics, readout.variant)
    return np.array(budgets), np.array([required_value(metrics, readout, metric, budget) for budget in budgets])
