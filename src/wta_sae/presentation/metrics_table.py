"""What the presentation is made from: a run's tidy table of metrics, and the numbers that the paper prints."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from wta_sae.collection import COLUMNS
from wta_sae.errors import UserError


@dataclass(frozen=True)
class Readout:
    """A trained SAE as one inference rule reads it out: a column of the tables, a line of the figures.

    macro: its part of the names of LaTeX macros; published: its name in `paper/published.yaml`.
    """

    variant: str
    inference: str
    heading: str
    macro: str
    published: str


WTA_READOUTS = (
    Readout("wta", "described", "described", "WtaDescribed", "wta"),
    Readout("wta", "released", "released", "WtaReleased", "wta"),
    Readout("wta", "per_latent", "per latent", "WtaPerLatent", "wta"),
)
BASELINE_READOUTS = (
    Readout("batch_topk", "threshold", "BatchTopK", "BatchTopk", "batch_topk"),
    Readout("topk", "topk", "TopK", "Topk", "topk"),
)
READOUTS = WTA_READOUTS + BASELINE_READOUTS


def read_metrics(path: Path) -> pd.DataFrame:
    """The tidy metrics of a run. Raises UserError where the file is absent, empty, or lacks a column."""
    try:
        metrics = pd.read_csv(path)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a CSV of metrics ({error}); delete it and run again") from error
    missing = [column for column in COLUMNS if column not in metrics]
    if missing:
        raise UserError(f"{path}: lacks the column {missing[0]!r}; delete it and run again")
    try:
        numbers = {name: pd.to_numeric(metrics[name]) for name in ("sparsity_rate", "k_per_token", "k_per_latent", "value")}
    except ValueError as error:
        raise UserError(f"{path}: not a number ({error}); delete it and run again") from error
    return metrics.assign(**numbers)


def read_published(path: Path) -> dict[str, Any]:
    """The paper's numbers (`paper/published.yaml`). Raises UserError where the file is absent, not YAML, or lacks a section."""
    published = _read_yaml(path)
    for section in ("setup", "rows", "figure1", "figure2"):
        if section not in published:
            raise UserError(f"{path}: lacks the section {section!r}")
    return published


def read_contributions(path: Path) -> dict[str, Any]:
    """The paper's Table 2 (`paper/contributions.yaml`). Raises UserError where the file is absent, not YAML, or has no list."""
    contributions = _read_yaml(path)
    if not contributions.get("contributors"):
        raise UserError(f"{path}: lacks the list 'contributors'")
    return contributions


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: a mapping is expected at the top level")
    return content


def value(
    metrics: pd.DataFrame,
    *,
    variant: str,
    inference: str | None,
    metric: str,
    sparsity_rate: float | None = None,
) -> float | None:
    """One number, the mean over seeds; None where the run did not measure it (absent, empty or NaN).

    inference: None for a number of the weights, which no inference rule changes. sparsity_rate: WTA's nominal rate; None for
    the baselines.
    Raises UserError where the selection is ambiguous: several values for one seed.
    """
    by_rule = metrics["inference"].isna() if inference is None else metrics["inference"] == inference
    chosen = metrics[(metrics["variant"] == variant) & by_rule & (metrics["metric"] == metric)]
    if sparsity_rate is not None:
        chosen = chosen[np.isclose(chosen["sparsity_rate"], sparsity_rate, rtol=1e-9, atol=0)]
    chosen = chosen[chosen["value"].notna()]
    if chosen.empty:
        return None
    twice = chosen["seed"].duplicated(keep=False)
    if twice.any():
        names = ", ".join(sorted(chosen.loc[twice, "sae"].astype(str).unique()))
        raise UserError(f"metrics: several values of {metric!r} for {variant}, inference {inference}, in one seed ({names})")
    return float(chosen["value"].mean())


def readout_value(metrics: pd.DataFrame, readout: Readout, metric: str, rate: float) -> float | None:
    """`value` of a table's column: at `rate` for WTA; the baselines have none."""
    sparsity_rate = rate if readout.variant == "wta" else None
    return value(metrics, variant=readout.variant, inference=readout.inference, metric=metric, sparsity_rate=sparsity_rate)


def weights_value(metrics: pd.DataFrame, readout: Readout, metric: str, rate: float) -> float | None:
    """`readout_value` of a number of the weights, which is the same under every inference rule."""
    sparsity_rate = rate if readout.variant == "wta" else None
    return value(metrics, variant=readout.variant, inference=None, metric=metric, sparsity_rate=sparsity_rate)


def wta_rates(metrics: pd.DataFrame) -> list[float]:
    """WTA's nominal rates in rising order. Raises UserError where the table holds no WTA SAE."""
    rates = sorted(metrics.loc[metrics["variant"] == "wta", "sparsity_rate"].dropna().unique().tolist())
    if not rates:
        raise UserError("metrics: no WTA SAE in the table; add one under saes.wta.rates")
    return rates


def winners_by_rate(metrics: pd.DataFrame) -> dict[float, int]:
    """Winners per latent and batch at each nominal rate: rates with the same number share one trained SAE."""
    rows = metrics[metrics["variant"] == "wta"].dropna(subset=["sparsity_rate", "k_per_latent"])
    pairs = rows[["sparsity_rate", "k_per_latent"]].drop_duplicates("sparsity_rate").sort_values("sparsity_rate")
    return {float(rate): int(winners) for rate, winners in pairs.itertuples(index=False)}


def runs_of_shared_saes(winners: dict[float, int]) -> Iterator[list[float]]:
    """The rates in rising order, those that share one SAE together."""
    group: list[float] = []
    for rate in sorted(winners):
        if group and winners[rate] != winners[group[-1]]:
            yield group
            group = []
        group.append(rate)
    if group:
        yield group


def curve(metrics: pd.DataFrame, inference: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """WTA's `metric` over its rates, read out by `inference`. Raises UserError, naming the metric, where a value is missing."""
    rates = wta_rates(metrics)
    values = [value(metrics, variant="wta", inference=inference, metric=metric, sparsity_rate=rate) for rate in rates]
    for rate, found in zip(rates, values, strict=True):
        if found is None:
            raise UserError(f"metrics: {metric!r} of WTA at rate {rate:g}, read out by {inference!r}, is missing; evaluate it")
    return np.array(rates), np.array(values, dtype=float)
