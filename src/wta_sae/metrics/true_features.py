"""What an SAE found of the true features of synthetic activations.

Shape suffixes: N tokens of a batch, D width, F latents, G true features, M matched pairs of a latent and a feature.

Source: SynthSAEBench (SAELens); matched_cosine is its MCC (O'Neill et al. 2024, arXiv 2411.13117).
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from wta_sae.metrics.columns import FOUND_FROM
from wta_sae.metrics.evaluation import Evaluation
from wta_sae.metrics.matching import absolute_cosines, match_directions
from wta_sae.sae.sae import SAE
from wta_sae.synthetic.world import Sample


def latent_uniqueness(W_dec_FD: Tensor, directions_GD: Tensor) -> float:
    """How many different features are some latent's nearest, a latent: 1 where no two latents share one."""
    return len(absolute_cosines(W_dec_FD, directions_GD).argmax(1).unique()) / len(W_dec_FD)


@torch.no_grad()
def truth_metrics(sae: SAE, directions_GD: Tensor, batches: Iterable[Sample]) -> Evaluation:
    """On the CPU, over the tokens of all batches:

    l0, explained_variance (of the noisy activations) and frac_alive, as the core metrics.
    matched_cosine: mean over the pairs of `match_directions`; features_found: the share of true features whose pair's cosine is
    FOUND_FROM or more; latent_uniqueness: as the function.
    feature_precision, feature_recall: of a matched latent's firing as a sign of its feature's, means over true features, where
    a feature without a latent, or whose latent never fires, counts as 0; feature_f1: the mean of each one's harmonic mean.
    """
    matching = match_directions(sae.W_dec_FD, directions_GD)
    tokens, error, square, active = 0, 0.0, 0.0, 0
    total_D = torch.zeros(directions_GD.shape[1], dtype=torch.float64)
    fired_F = torch.zeros(len(sae.W_dec_FD), dtype=torch.long)
    both_M, latent_M, feature_M = torch.zeros(3, len(matching.cosine_M), dtype=torch.long)
    for x_ND, fires_NG in batches:
        acts_NF = sae.encode(x_ND)
        active_NF = acts_NF > 0
        tokens, active = tokens + len(x_ND), active + int(active_NF.sum())
        error += (x_ND - sae.decode(acts_NF)).double().square().sum().item()
        square += x_ND.double().square().sum().item()
        total_D += x_ND.double().sum(0)
        fired_F += active_NF.sum(0)
        active_NM, fires_NM = active_NF[:, matching.first_M], fires_NG[:, matching.second_M]
        both_M += (active_NM & fires_NM).sum(0)
        latent_M += active_NM.sum(0)
        feature_M += fires_NM.sum(0)
    features = len(directions_GD)
    rates = {
        "feature_precision": both_M / latent_M.clamp(min=1),
        "feature_recall": both_M / feature_M.clamp(min=1),
        "feature_f1": 2 * both_M / (latent_M + feature_M).clamp(min=1),
    }
    return Evaluation(
        {
            "l0": active / tokens,
            "explained_variance": 1 - error / (square - total_D.square().sum().item() / tokens),
            "frac_alive": (fired_F > 0).double().mean().item(),
            "matched_cosine": matching.cosine_M.double().mean().item(),
            "features_found": int((matching.cosine_M >= FOUND_FROM).sum()) / features,
            "latent_uniqueness": latent_uniqueness(sae.W_dec_FD, directions_GD),
            **{name: rate_M.double().sum().item() / features for name, rate_M in rates.items()},
        }
    )
