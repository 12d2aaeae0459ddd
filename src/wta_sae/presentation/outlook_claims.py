"""What one would expect of the variants beyond the paper, decided on a run: each can come out either way."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from wta_sae.plan.papers_variants import BASELINES, WTA
from wta_sae.presentation.claims import VERDICTS, Margin
from wta_sae.presentation.estimates import UNMEASURED, Contrast, Estimate, least_certain
from wta_sae.presentation.outlook_metrics import Outlook
from wta_sae.presentation.synthetic_metrics import SyntheticMetrics
from wta_sae.variants.variant import Variant

EV = "explained_variance"
FLOORED, DEMAND, PENALISED = "hybrid_token", "adaptive", "wta_density"


@dataclass(frozen=True)
class Expectation:
    """A statement, and by how much it holds, to so many digits. about: the variants that it is about."""

    statement: str
    digits: int
    about: tuple[str, ...]
    margin: Callable[[Outlook], Contrast]


def ahead(firsts: tuple[str, ...], seconds: tuple[str, ...], metric: str, outlook: Outlook) -> Contrast:
    """By how much the best of some variants is above the best of others."""
    return _best(outlook, firsts, metric) - _best(outlook, seconds, metric)


def found_again_by_use(outlook: Outlook) -> Contrast:
    """The rank correlation of stability and density, of the baseline where it is less certain."""
    correlations = [outlook.of(name, "stability_density_correlation") for name in BASELINES]
    return least_certain([one.above(0) for one in correlations])


def ahead_at_equal_use(variant: str, other: str, outlook: Outlook) -> Contrast:
    """By how much a variant's latents are found again more than those of another that are used as often."""
    own = outlook.over_seeds(lambda one: one.stability_at_equal_use(variant, other)[0])
    return own - outlook.over_seeds(lambda one: one.stability_at_equal_use(variant, other)[1])


def ahead_on_true_features(variant: str, other: str, metric: str, outlook: Outlook) -> Contrast:
    """By how much it is above another's on true features that are known, at the exponent where this is least certain."""
    synthetic: SyntheticMetrics = outlook.metrics.synthetic
    margins = [synthetic.of(variant, metric, one) - synthetic.of(other, metric, one) for one in synthetic.exponents]
    return least_certain(margins) if margins else UNMEASURED - UNMEASURED


EXPECTATIONS = (
    Expectation("The more often a latent is used, the more it is found again.", 2, BASELINES, found_again_by_use),
    Expectation(
        "WTA's latents are found again more than both baselines'.",
        3,
        (WTA, *BASELINES),
        partial(ahead, (WTA,), BASELINES, "seed_stability"),
    ),
    Expectation(
        "So they are than TopK's where these are used as often.", 3, (WTA, "topk"), partial(ahead_at_equal_use, WTA, "topk")
    ),
    Expectation(
        "And than BatchTopK's where these are.", 3, (WTA, "batch_topk"), partial(ahead_at_equal_use, WTA, "batch_topk")
    ),
    Expectation(
        "Winners by demand (Adaptive WTA) explain more than equally many a latent (WTA).",
        3,
        (DEMAND, WTA),
        partial(ahead, (DEMAND,), (WTA,), EV),
    ),
    Expectation(
        "They still explain less than BatchTopK.", 3, (DEMAND, "batch_topk"), partial(ahead, ("batch_topk",), (DEMAND,), EV)
    ),
    Expectation("A density penalty lets WTA explain more.", 3, (PENALISED, WTA), partial(ahead, (PENALISED,), (WTA,), EV)),
    Expectation("A floor costs TopK explained variance.", 3, (FLOORED, "topk"), partial(ahead, ("topk",), (FLOORED,), EV)),
    Expectation(
        "Of true features that are known, TopK explains more with a floor, at every exponent.",
        3,
        (FLOORED, "topk"),
        partial(ahead_on_true_features, FLOORED, "topk", EV),
    ),
    Expectation(
        "And it comes nearer to them (matched cosine), at every exponent.",
        3,
        (FLOORED, "topk"),
        partial(ahead_on_true_features, FLOORED, "topk", "matched_cosine"),
    ),
)


class Decided(NamedTuple):
    """An expectation, and by how much it holds on a run."""

    expectation: Expectation
    margin: Margin


def expectations_decided(outlook: Outlook) -> list[Decided]:
    """Those on variants that the run has."""
    there = {one.name for one in outlook.variants}
    return [Decided(one, Margin(one.margin(outlook))) for one in EXPECTATIONS if there.issuperset(one.about)]


def better_in(outlook: Outlook, metric: str) -> str:
    """The baseline with the higher value."""
    return max(BASELINES, key=lambda name: outlook.of(name, metric).mean)


def standing(outlook: Outlook, against: str, metric: str) -> dict[str, list[Variant]]:
    """The other variants by how they stand in a metric: ahead (`STANDS`), behind (`FAILS`) or not told apart (`NOISE`)."""
    found: dict[str, list[Variant]] = {verdict: [] for verdict in VERDICTS}
    for one in outlook.variants:
        if one.name != against:
            found[Margin(outlook.of(one.name, metric) - outlook.of(against, metric)).verdict].append(one)
    return found


def _best(outlook: Outlook, variants: tuple[str, ...], metric: str) -> Estimate:
    """One that was not measured is the best: nothing can be told of it."""
    found = [outlook.of(name, metric) for name in variants]
    return max(found, key=lambda one: (not one.seeds, one.mean))
