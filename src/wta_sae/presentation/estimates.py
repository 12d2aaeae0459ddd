"""Measured values with the noise of their seeds, and what a difference between them comes to.

A difference counts where it is more than TWICE its standard deviation over seeds (with three seeds on either side: a t-test's
p is below 0.03). NaN stands for what was not measured, and for the spread of one seed.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NOISE_FACTOR = 2


class Estimate(NamedTuple):
    """A mean over seeds, and the sample standard deviation (n - 1 below the line)."""

    mean: float
    spread: float

    def __sub__(self, other: "Estimate") -> "Estimate":
        """The difference of independent values."""
        return Estimate(self.mean - other.mean, joint_noise(self.spread, other.spread))


UNMEASURED = Estimate(math.nan, math.nan)


class Sweep(NamedTuple):
    """One metric over WTA's trained SAEs in rising order of winners.

    rates: the nominal rates of each SAE; means: its value; noise: the largest standard deviation over seeds among the rates
    that were trained with several, which here stands for all; NaN where none was.
    """

    rates: tuple[tuple[float, ...], ...]
    means: tuple[float, ...]
    noise: float

    def lowest(self) -> float:
        return min(self.means, default=math.nan)

    def highest(self) -> float:
        return max(self.means, default=math.nan)

    def rates_of(self, mean: float) -> tuple[float, ...]:
        """The rates of the first SAE that has this value; none where nothing was measured."""
        return self.rates[self.means.index(mean)] if mean in self.means else ()


def joint_noise(*spreads: float) -> float:
    """The standard deviation of a sum or difference of independent values."""
    return math.hypot(*spreads)


def beyond_noise(difference: float, noise: float) -> bool:
    """Whether a difference counts; never where its noise is not known."""
    return abs(difference) > NOISE_FACTOR * noise


def change_word(before: float, after: float, spread: float) -> str:
    """What a change between one seed and one seed comes to, each of the same spread."""
    if math.isnan(after - before):
        return "not measured"
    if math.isnan(spread):
        return "no spread known"
    if not beyond_noise(after - before, joint_noise(spread, spread)):
        return "within noise"
    return "higher" if after > before else "lower"


def comparing_word(left: float, right: float, digits: int) -> str:
    """ "above", "below" or "equal to", as the printed digits show it."""
    difference = round(left, digits) - round(right, digits)
    if math.isnan(difference):
        return "not comparable with"
    return "equal to" if not difference else "above" if difference > 0 else "below"


def trend(values: Sequence[float], digits: int) -> str:
    """How a sequence moves along the rates, in words, at the precision that is printed."""
    if len(values) < 2 or np.isnan(values).any():
        return "was not measured at every rate"
    steps = np.diff(np.round(values, digits))
    if not steps.any():
        return "stays the same"
    if (steps >= 0).all():
        return "never falls as the rate grows"
    if (steps <= 0).all():
        return "never rises as the rate grows"
    return "rises and falls along the sweep"
