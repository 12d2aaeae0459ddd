"""Measured values with the noise of their seeds, one at a time and along WTA's rates.

A difference counts where it is more than TWICE its standard deviation over seeds (with three seeds on either side: a t-test's
p is below 0.03).
"""

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import pandas as pd

from wta_sae.plan.papers_variants import WTA
from wta_sae.presentation import markdown
from wta_sae.presentation.metrics_table import (
    rates_sharing_an_sae,
    readout_spread,
    readout_value,
    spread,
    value,
    winners_by_rate,
)
from wta_sae.variants.readout import Readout

NOISE_FACTOR = 2


class Estimate(NamedTuple):
    """A mean over seeds and its standard deviation; None where nothing was measured, or with one seed only."""

    mean: float | None
    spread: float | None

    def text(self, digits: int) -> str:
        return markdown.with_spread(self.mean, self.spread, digits)


@dataclass(frozen=True)
class Sweep:
    """One metric over WTA's trained SAEs in rising order of winners.

    rates: the nominal rates of each SAE; means: its value; noise: the largest standard deviation over seeds among the rates
    that were trained with several, which here stands for all; None where none was.
    """

    rates: tuple[tuple[float, ...], ...]
    means: tuple[float, ...]
    noise: float | None


def estimate(metrics: pd.DataFrame, **selection: Any) -> Estimate:
    """What `metrics_table.value` and `metrics_table.spread` say of one selection."""
    return Estimate(value(metrics, **selection), spread(metrics, **selection))


def readout_estimate(metrics: pd.DataFrame, readout: Readout, metric: str, rate: float, k: int) -> Estimate:
    """A table's cell, at the nominal `rate` or at `k` active latents a token (`metrics_table.budget_of`)."""
    return Estimate(readout_value(metrics, readout, metric, rate, k), readout_spread(metrics, readout, metric, rate, k))


def sweep(metrics: pd.DataFrame, inference: str | None, metric: str) -> Sweep:
    """WTA's `metric` read out by `inference`; an SAE without it is left out.

    Rates that share an SAE are one point, unless the rule tells them apart, as `released` may.
    """

    def at(nominal: float) -> Estimate:
        return estimate(metrics, variant=WTA, inference=inference, metric=metric, sparsity_rate=nominal)

    groups = rates_sharing_an_sae(winners_by_rate(metrics))
    points = [(tuple(same), point) for group in groups for point, same in groupby(group, key=at)]
    found = [(group, point) for group, point in points if point.mean is not None]
    spreads = [point.spread for _, point in found if point.spread is not None]
    return Sweep(
        rates=tuple(group for group, _ in found),
        means=tuple(point.mean for _, point in found),
        noise=max(spreads, default=None),
    )


def joint_noise(*spreads: float | None) -> float | None:
    """The standard deviation of a sum or difference of independent values; None where one of them has none."""
    return None if None in spreads else math.hypot(*spreads)


def beyond_noise(difference: float, noise: float | None) -> bool:
    """Whether a difference counts; never where its noise is not known."""
    return noise is not None and abs(difference) > NOISE_FACTOR * noise


def change_word(before: float | None, after: float | None, spread: float | None) -> str:
    """What a change between one seed and one seed comes to, each of the same spread."""
    if before is None or after is None:
        return "not measured"
    if spread is None:
        return "no spread known"
    if not beyond_noise(after - before, joint_noise(spread, spread)):
        return "within noise"
    return "higher" if after > before else "lower"
