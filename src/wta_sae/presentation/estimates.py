"""Measured values with the noise of their seeds, and what a difference between them comes to.

A difference counts where its interval by Student's t leaves out zero: few seeds tell little of their own spread, and the fewer
they are, the wider it is. NaN stands for what was not measured, and for the spread of one seed.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95
LESS_CONFIDENT, MORE_CONFIDENT = 0.90, 0.99  # where these do not agree on a difference, it lies near the border


class Estimate(NamedTuple):
    """A mean over seeds, the sample standard deviation (n - 1 below the line), and the number of seeds."""

    mean: float
    spread: float
    seeds: int

    def __sub__(self, other: "Estimate") -> "Contrast":
        """The difference of independent values of unlike spreads. Source: Welch's t-test, with Satterthwaite's freedom."""
        squares = [one.spread**2 / one.seeds if one.seeds else math.nan for one in (self, other)]
        parts = [square**2 / (one.seeds - 1) for one, square in zip((self, other), squares, strict=True) if one.seeds > 1]
        freedom = sum(squares) ** 2 / sum(parts) if sum(parts) else math.inf
        spread = math.hypot(self.spread, other.spread)
        return Contrast(self.mean - other.mean, spread, math.sqrt(sum(squares)), freedom)

    def above(self, number: float) -> "Contrast":
        """By how much it is above a number that is certain. Source: the one-sample t-test."""
        error = self.spread / math.sqrt(self.seeds) if self.seeds else math.nan
        return Contrast(self.mean - number, self.spread, error, self.seeds - 1)


UNMEASURED = Estimate(math.nan, math.nan, 0)


def over_seeds_of(values: Sequence[float]) -> Estimate:
    """Of a value a seed; what is NaN was not measured."""
    found = [value for value in values if not math.isnan(value)]
    if not found:
        return UNMEASURED
    return Estimate(float(np.mean(found)), float(np.std(found, ddof=1)) if len(found) > 1 else math.nan, len(found))


class Contrast(NamedTuple):
    """What two values differ by.

    spread: the standard deviation that it has with one seed on either side; error: its own standard error; freedom: the
    degrees of freedom of Student's t by which the error is known.
    """

    mean: float
    spread: float
    error: float
    freedom: float

    @property
    def known(self) -> bool:
        """Whether both the difference and its noise were measured."""
        return not (math.isnan(self.mean) or math.isnan(self.error))

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """Of the interval around it that holds the true difference with this confidence."""
        return float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.error

    def counts(self, confidence: float = CONFIDENCE) -> bool:
        """Whether the interval leaves out zero; never where the noise is not known."""
        return self.known and abs(self.mean) > self.half_width(confidence)

    @property
    def near_border(self) -> bool:
        """Whether it counts at less confidence than asked for, and does not at more."""
        return self.counts(LESS_CONFIDENT) and not self.counts(MORE_CONFIDENT)


def least_certain(contrasts: Sequence[Contrast]) -> Contrast:
    """The one whose interval begins lowest, so that all are above zero if it is; one that is not known before all others."""
    return min(contrasts, key=lambda one: (one.known, one.mean - one.half_width()))


def of_single_seeds(mean: float, spread: float, freedom: float) -> Contrast:
    """Between two values of one seed each, whose spread is known from others of their kind."""
    joint = math.hypot(spread, spread)
    return Contrast(mean, joint, joint, freedom)


class Sweep(NamedTuple):
    """One metric over WTA's trained SAEs in rising order of winners.

    rates: the nominal rates of each SAE; means: its value; spread: the standard deviation over seeds pooled over the rates that
    were trained with several, which here stands for all, NaN where none was; freedom: its degrees of freedom.
    """

    rates: tuple[tuple[float, ...], ...]
    means: tuple[float, ...]
    spread: float
    freedom: int

    def lowest(self) -> float:
        return min(self.means, default=math.nan)

    def highest(self) -> float:
        return max(self.means, default=math.nan)

    def rates_of(self, mean: float) -> tuple[float, ...]:
        """The rates of the first SAE that has this value; none where nothing was measured."""
        return self.rates[self.means.index(mean)] if mean in self.means else ()

    def of_one(self, mean: float) -> Contrast:
        """Between a value of the sweep and a number that is certain."""
        return Contrast(mean, self.spread, self.spread, self.freedom)

    def of_two(self, mean: float) -> Contrast:
        """Between two values of the sweep."""
        return of_single_seeds(mean, self.spread, self.freedom)


def pooled_spread(estimates: Sequence[Estimate]) -> tuple[float, int]:
    """The standard deviation over seeds of values of one kind, and its degrees of freedom; NaN where none has several seeds."""
    several = [one for one in estimates if one.seeds > 1]
    freedom = sum(one.seeds - 1 for one in several)
    squares = sum((one.seeds - 1) * one.spread**2 for one in several)
    return (math.sqrt(squares / freedom) if freedom else math.nan), freedom


def change_word(change: Contrast) -> str:
    """What a change comes to."""
    if math.isnan(change.mean):
        return "not measured"
    if not change.known:
        return "no spread known"
    if not change.counts():
        return "within noise"
    return "higher" if change.mean > 0 else "lower"


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
