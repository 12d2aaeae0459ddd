"""Why WTA loses, decided on true features that are known: each part of the answer can come out either way."""

from collections.abc import Callable
from typing import NamedTuple

from wta_sae.plan.papers_variants import BASELINES, WTA
from wta_sae.presentation.claims import FAILS, NOISE, STANDS, UNKNOWN, Margin
from wta_sae.presentation.estimates import Contrast, Estimate, least_certain
from wta_sae.presentation.synthetic_metrics import SyntheticMetrics
from wta_sae.variants.variant import Variant

METRIC = "explained_variance"
DEMAND = "adaptive"  # wins per latent, as WTA does, but as often as the latent is in demand
EQUAL, UNEQUAL_FROM = 0, 1  # exponents: all features fire equally often; as unequally as words do, or more


class EqualRateHypothesis(NamedTuple):
    """That it is the equal rate of its latents which costs WTA its fidelity, and not that winners are taken per latent.

    ahead: WTA explains more than the better baseline where all features fire equally often. behind: less than the worse one
    where they do not. mended: there, winners by demand explain more than equally many for each latent. level: and no less than
    the better baseline; this part has to fail to speak against the hypothesis. A part over several exponents is that of the
    one at which it is least certain.
    """

    ahead: Margin
    behind: Margin
    mended: Margin
    level: Margin

    @property
    def verdict(self) -> str:
        parts = [self.ahead.verdict, self.behind.verdict, self.mended.verdict]
        if UNKNOWN in (*parts, self.level.verdict):
            return UNKNOWN
        if FAILS in (*parts, self.level.verdict):
            return FAILS
        return NOISE if NOISE in parts else STANDS


def equal_rate_hypothesis(metrics: SyntheticMetrics) -> EqualRateHypothesis:
    """By explained variance at equal L0. Cannot be told where a variant, or an exponent of the two kinds, is missing."""

    def of(variant: str, exponent: float) -> Estimate:
        return metrics.of(variant, METRIC, exponent)

    def least(margin: Callable[[float], Contrast]) -> Margin:
        exponents = [one for one in metrics.exponents if one >= UNEQUAL_FROM] or [UNEQUAL_FROM]
        return Margin(least_certain([margin(one) for one in exponents]))

    def worse(exponent: float) -> Estimate:
        return min((of(name, exponent) for name in BASELINES), key=lambda one: one.mean)

    return EqualRateHypothesis(
        ahead=Margin(of(WTA, EQUAL) - better_baseline(metrics, METRIC, EQUAL)),
        behind=least(lambda exponent: worse(exponent) - of(WTA, exponent)),
        mended=least(lambda exponent: of(DEMAND, exponent) - of(WTA, exponent)),
        level=least(lambda exponent: of(DEMAND, exponent) - better_baseline(metrics, METRIC, exponent)),
    )


def ahead_at_every_exponent(metrics: SyntheticMetrics, metric: str) -> list[Variant]:
    """The variants that are ahead of both baselines in a metric, beyond noise, at every exponent."""

    def is_ahead(variant: Variant, exponent: float) -> bool:
        lead = metrics.of(variant.name, metric, exponent) - better_baseline(metrics, metric, exponent)
        return Margin(lead).verdict == STANDS

    return [one for one in metrics.variants if all(is_ahead(one, exponent) for exponent in metrics.exponents)]


def better_baseline(metrics: SyntheticMetrics, metric: str, exponent: float) -> Estimate:
    """The higher value of the paper's baselines."""
    return max((metrics.of(name, metric, exponent) for name in BASELINES), key=lambda one: one.mean)
