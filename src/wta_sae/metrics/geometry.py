"""Metrics of an SAE's weights and thresholds alone; no data.

Shape suffixes: D model width, F latents, K latents of a chunk.

Source: SAEBench 0.6.0 `get_featurewise_weight_based_metrics`; paper Figure 1 is the distribution of encoder_decoder_cosine_sim.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import normalize

from wta_sae.metrics.evaluation import Evaluation
from wta_sae.sae.sae import SAE

LATENTS_AT_ONCE = 512


@torch.no_grad()
def encoder_decoder_geometry(sae: SAE) -> Evaluation:
    """How each latent's encoder and decoder directions lie to each other and to the other latents'.

    Per latent: encoder_decoder_cosine_sim (between W_enc[:, j] and W_dec[j]), max_encoder_cosine_sim and
    max_decoder_cosine_sim (the largest with another latent; -1 where there is no other), encoder_norm, encoder_bias.
    Metrics: each one's NAME_mean and NAME_median, and under SAEBench's names average_max_{encoder,decoder}_cosine_sim. Ours:
    mean_absolute_decoder_cosine_sim, over all pairs of latents; undefined for a single one.
    Differs from SAEBench: a zero vector has cosine 0 with everything, not NaN.
    """
    encoder_FD, decoder_FD = normalize(sae.W_enc_DF.T, dim=-1), normalize(sae.W_dec_FD, dim=-1)
    per_latent = {
        "encoder_decoder_cosine_sim": (encoder_FD * decoder_FD).sum(-1),
        "max_encoder_cosine_sim": largest_cosine_with_another(encoder_FD),
        "max_decoder_cosine_sim": largest_cosine_with_another(decoder_FD),
        "encoder_norm": sae.W_enc_DF.norm(dim=0),
        "encoder_bias": sae.b_enc_F.clone(),
    }
    metrics: dict[str, float | None] = {}
    for name, value_F in per_latent.items():
        metrics[f"{name}_mean"] = value_F.double().mean().item()
        metrics[f"{name}_median"] = value_F.double().quantile(0.5).item()
    for name in ("max_encoder_cosine_sim", "max_decoder_cosine_sim"):
        metrics[f"average_{name}"] = metrics.pop(f"{name}_mean")
    metrics["mean_absolute_decoder_cosine_sim"] = mean_absolute_cosine_of_pairs(decoder_FD)
    return Evaluation(metrics, per_latent)


def threshold_ratio(thresholds: Mapping[str, Tensor]) -> Evaluation:
    """How far the latents' own thresholds lie above the one for all of them; no source computes it.

    thresholds: inference rule -> scalar or (F), as they lie beside a trained SAE's weights.
    Metric: threshold_ratio_median, the median of theta_j / theta over the latents with a threshold, which one that never won
    has not (infinity). Undefined where theta is not finite and positive, or no latent has a threshold; an SAE without such
    thresholds has no such metric.
    """
    theta = next((value for value in thresholds.values() if value.ndim == 0), None)
    if theta is None or "per_latent" not in thresholds:
        return Evaluation({})
    name = "threshold_ratio_median"
    if not 0 < theta < torch.inf:
        return Evaluation({}, undefined={name: "the threshold for all latents is not a finite number above zero"})
    ratio_F = thresholds["per_latent"].double() / theta.double()
    ratio_F = ratio_F[ratio_F.isfinite()]
    if not len(ratio_F):
        return Evaluation({}, undefined={name: "no latent won since the thresholds began"})
    return Evaluation({name: ratio_F.quantile(0.5).item()})


def largest_cosine_with_another(unit_FD: Tensor) -> Tensor:
    """Each unit vector's largest cosine with another one, (F, D) -> (F); never more than a chunk of the (F, F) matrix."""
    largest_F = unit_FD.new_empty(len(unit_FD))
    for start in range(0, len(unit_FD), LATENTS_AT_ONCE):
        cosine_KF = unit_FD[start : start + LATENTS_AT_ONCE] @ unit_FD.T
        cosine_KF.diagonal(start).fill_(-1)
        largest_F[start : start + LATENTS_AT_ONCE] = cosine_KF.amax(-1)
    return largest_F


def mean_absolute_cosine_of_pairs(unit_FD: Tensor) -> float | None:
    """Over all pairs of different unit vectors, (F, D); None where there is no pair. Memory as above."""
    latents, total = len(unit_FD), 0.0
    for chunk_KD in unit_FD.split(LATENTS_AT_ONCE):
        total += (chunk_KD @ unit_FD.T).abs().sum(dtype=torch.float64).item()
    with_itself = unit_FD.square().sum(dtype=torch.float64).item()
    return (total - with_itself) / (latents * (latents - 1)) if latents > 1 else None
