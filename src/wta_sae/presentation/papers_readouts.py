"""The columns of the paper's own tables and figures, among the readouts that are registered."""

from wta_sae.plan.papers_variants import BASELINES, COMPARED_IN_PAPER, WTA
from wta_sae.variants.readout import Readout
from wta_sae.variants.registry import VARIANTS

WTA_READOUTS = VARIANTS[WTA].readouts
BASELINE_READOUTS = tuple(readout for name in BASELINES for readout in VARIANTS[name].readouts)
PAPERS_READOUTS = WTA_READOUTS + BASELINE_READOUTS
PAPERS_TITLES = {name: VARIANTS[name].title for name in COMPARED_IN_PAPER}


def _of_wta(inference: str) -> Readout:
    return next(readout for readout in WTA_READOUTS if readout.inference == inference)


WTA_DESCRIBED, WTA_RELEASED, WTA_PER_LATENT = _of_wta("described"), _of_wta("released"), _of_wta("per_latent")
