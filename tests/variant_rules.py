"""Variants' rules by themselves, as tests want them."""

import torch

from wta_sae.codes.variant_rule import Moment, SelectionRule, TrainingSizes
from wta_sae.variants.loading import rule_of, spec_of
from wta_sae.variants.registry import VARIANTS

SELECTIONS = [name for name in VARIANTS if issubclass(rule_of(name), SelectionRule)]
LOSSES = [name for name in VARIANTS if name not in SELECTIONS]


def moment(step=0, silent_tokens_F=None):
    """Where a training stands that has no threshold yet; no latent has been silent, unless told."""
    return Moment(step, torch.tensor(torch.nan), torch.zeros(1) if silent_tokens_F is None else silent_tokens_F)


START = moment()


def a_rule(variant, k, shape=(64, 200), device="cpu", **own):
    """shape: tokens of a batch, and latents."""
    sizes = TrainingSizes(latents=shape[1], batch_tokens=shape[0], steps=100, threshold_start_step=10)
    return rule_of(variant)(k, spec_of(variant).options(**own), sizes, torch.device(device))


def selected(variant, pre_BF, k, **own):
    """What the plain rule keeps at a training's first step."""
    return a_rule(variant, k, pre_BF.shape, **own).select(pre_BF, START)
