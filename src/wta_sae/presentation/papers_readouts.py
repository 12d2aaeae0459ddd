"""The columns of the paper's own tables and figures, among the readouts that are registered."""

from wta_sae.plan.papers_variants import BASELINES, COMPARED_IN_PAPER, WTA
from wta_sae.variants.registry import VARIANTS

WTA_READOUTS = VARIANTS[WTA].readouts
BASELINE_READOUTS = tuple(readout for name in BASELINES for readout in VARIANTS[name].readouts)
PAPERS_READOUTS = WTA_READOUTS + BASELINE_READOUTS
PAPERS_TITLES = {name: VARIANTS[name].title for name in COMPARED_IN_PAPER}
WTA_RELEASED = next(readout for readout in WTA_READOUTS if readout.inference == "released")
NAMED = {one.inference: one for one in WTA_READOUTS} | {one.variant: one for one in BASELINE_READOUTS}
"""By the names that the templates have for them: described, released, per_latent, batch_topk, topk."""
