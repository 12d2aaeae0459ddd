"""What SCR and TPP share: a latent's effect on a probe, and a probe's logits once latents are taken out of the activations.

Shape suffixes: N texts, D model width, F latents, K latents taken out, P probes.

Source: SAEBench 0.6.0 `get_effects_per_class_precomputed_acts`, `select_top_n_features`, `ablated_precomputed_activations`.
Ablation there subtracts z_j W_dec[j] at every position and then pools; both are linear, so subtracting the pooled codes is the
same, and the texts need no second pass.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from wta_sae.metrics.pooling import Pooled
from wta_sae.metrics.probes import Probe

N_VALUES = (2, 5, 10, 20, 50, 100, 500)
# How the metric is named -> which pooled codes are subtracted. SAEBench's ablation also subtracts what the latents do at
# masked positions (x = 0), a flaw; the clean variant does not, and has its name with an ending.
ABLATIONS = {"": "leaky_codes", "_masked": "codes"}


def code_difference(codes_NF: Tensor, rows_N: Tensor, is_positive_N: Tensor) -> Tensor:
    """Each latent's mean pooled code on a task's positives less that on its negatives, (F)."""
    return codes_NF[rows_N[is_positive_N]].mean(0) - codes_NF[rows_N[~is_positive_N]].mean(0)


def latent_effects(difference_F: Tensor, probe: Probe, W_dec_FD: Tensor) -> Tensor:
    """What each latent adds to the probe's logit when its code changes by `difference_F`, (F)."""
    return difference_F * (W_dec_FD @ probe.weight_D)


def top_latents(effects_F: Tensor, n: int) -> Tensor:
    """The latents with the largest effects: n, or as many as have an effect at all, (K) int64."""
    return effects_F.topk(min(n, int(effects_F.count_nonzero()))).indices


def ablated_logits(
    pooled: Pooled, label: str, ablation: str, latents_K: Tensor, probes: Sequence[Probe], W_dec_FD: Tensor
) -> Tensor:
    """Every probe's logit for every text after the SAE's `latents_K` are taken out of the activations, (N, P).

    ablation: the ending of a metric's name, a key of ABLATIONS.
    """
    weight_DP = torch.stack([probe.weight_D for probe in probes], 1)
    bias_P = torch.stack([probe.bias for probe in probes])
    codes_NF = getattr(pooled, ABLATIONS[ablation])[label]
    removed_NP = codes_NF[:, latents_K] @ (W_dec_FD[latents_K] @ weight_DP)
    return torch.addmm(bias_P, pooled.residual_ND, weight_DP) - removed_NP
