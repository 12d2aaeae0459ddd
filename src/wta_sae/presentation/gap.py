"""How much of WTA's gap to BatchTopK at equal L0 is made by the released readout, and how much is left without it."""

from typing import NamedTuple

import pandas as pd

from wta_sae.plan.papers_variants import WTA
from wta_sae.presentation.estimates import Estimate, beyond_noise, estimate, joint_noise
from wta_sae.presentation.settings import Scale


class Gap(NamedTuple):
    """BatchTopK's value, one cut at equal L0, less that of the WTA SAE of the matched rate.

    released: WTA read out as released; its L0 is then that of the readout. own: WTA read out by its own cut a latent, at
    equal L0. readout_percent: the part of the first that the second lacks; None where the first is not beyond noise.
    """

    released: Estimate
    own: Estimate
    readout_percent: float | None


def gap(scale: Scale, metrics: pd.DataFrame, metric: str) -> Gap:
    """The gap in one metric, whose higher value is the better one."""
    baseline = estimate(metrics, variant="batch_topk", inference="matched_threshold", metric=metric, k=scale.k)
    released, own = (
        _difference(baseline, estimate(metrics, variant=WTA, inference=rule, metric=metric, sparsity_rate=scale.matched_rate))
        for rule in ("released", "matched_per_latent")
    )
    told = own.mean is not None and released.mean is not None and beyond_noise(released.mean, released.spread)
    return Gap(released, own, 100 * (1 - own.mean / released.mean) if told and released.mean > 0 else None)


def _difference(high: Estimate, low: Estimate) -> Estimate:
    if high.mean is None or low.mean is None:
        return Estimate(None, None)
    return Estimate(high.mean - low.mean, joint_noise(high.spread, low.spread))
