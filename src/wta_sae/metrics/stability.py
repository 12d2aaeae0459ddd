"""Whether an SAE trained with another seed has the same latents, and whether a latent is found again the more it is used.

Shape suffixes: D width, F latents.

Source: Paulo & Belrose 2025 (arXiv 2501.16615), who match latents as here; they ask it of encoder and decoder, we of decoders.
"""

import torch
from scipy.stats import spearmanr
from torch import Tensor

from wta_sae.metrics.columns import DENSITY_CLASSES, FOUND_AGAIN_FROM
from wta_sae.metrics.evaluation import Evaluation
from wta_sae.metrics.matching import match_directions


def seed_stability(W_dec_FD: Tensor, other_FD: Tensor) -> Evaluation:
    """How like the decoder directions of two SAEs are that differ in their seed only.

    Metrics: seed_stability, the mean absolute cosine of the pairs of `match_directions`; found_again, the share of latents
    whose pair has FOUND_AGAIN_FROM or more; chance_stability, the first of as many random directions. Per latent:
    matched_cosine.
    """
    matching = match_directions(W_dec_FD, other_FD)
    cosine_F = torch.zeros(len(W_dec_FD))
    cosine_F[matching.first_M] = matching.cosine_M
    metrics = {
        "seed_stability": cosine_F.double().mean().item(),
        "found_again": (cosine_F >= FOUND_AGAIN_FROM).double().mean().item(),
        "chance_stability": _chance_stability(W_dec_FD.shape, other_FD.shape),
    }
    return Evaluation(metrics, {"matched_cosine": cosine_F})


def stability_by_density(matched_cosine_F: Tensor, density_F: Tensor) -> Evaluation:
    """How like they are among latents that are used alike.

    density_F: the share of tokens on which each latent of the first SAE fires, under one inference rule.
    Metrics: stability_density_correlation, Spearman's, undefined where either is the same for all latents; and for each class
    of DENSITY_CLASSES, by its lower bound in units of the mean density: latents_at_density_X, the share of latents that are in
    it, and stability_at_density_X, their mean matched cosine, of classes that have any.
    """
    relative_F = density_F.double() / density_F.double().mean()
    class_F = torch.bucketize(relative_F, torch.tensor(DENSITY_CLASSES[1:], dtype=torch.double), right=True)
    values: dict[str, float | None] = {}
    for number, lowest in enumerate(DENSITY_CLASSES):
        inside_F = class_F == number
        values[f"latents_at_density_{lowest:g}"] = inside_F.double().mean().item()
        if inside_F.any():
            values[f"stability_at_density_{lowest:g}"] = matched_cosine_F[inside_F].double().mean().item()
    varied = all(len(one_F.unique()) > 1 for one_F in (matched_cosine_F, density_F))
    correlation = float(spearmanr(density_F, matched_cosine_F).statistic) if varied else None
    return Evaluation(values | {"stability_density_correlation": correlation})


def _chance_stability(*shapes: tuple[int, ...]) -> float:
    generator = torch.Generator().manual_seed(0)
    return match_directions(*(torch.randn(shape, generator=generator) for shape in shapes)).cosine_M.double().mean().item()
