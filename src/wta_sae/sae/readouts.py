"""How a trained SAE is read out: pure functions from pre-activations to sparse activations.

Shape suffixes: F latents, S sequences, L positions of a sequence; `...` any leading dimensions.

Every function takes pre-activations after the ReLU (none negative) and returns them with the losers set to zero. Zeros
are never selected, so fewer than k survive where fewer than k are positive.
"""

import torch
from torch import Tensor

from wta_sae.plan.winners import winners_per_latent
from wta_sae.sae.quickselect import positions_of_largest


def top_k(pre: Tensor, k: int) -> Tensor:
    """Keeps each token's k largest activations, (..., F) -> (..., F). Ties at the cut: exactly k are kept.

    Source: paper eq. 1; Gao et al. 2024.
    """
    if pre.device.type == "cpu":
        flat = pre.reshape(-1)
        kept = torch.from_numpy(positions_of_largest(flat.detach().view(-1, pre.shape[-1]).numpy(), k))
        return torch.zeros_like(flat).scatter_(0, kept, flat[kept]).view_as(pre)
    values, latents = pre.topk(k, dim=-1, sorted=False)
    return torch.zeros_like(pre).scatter_(-1, latents, values)


def above_threshold(pre: Tensor, threshold: Tensor) -> Tensor:
    """Keeps activations strictly above a threshold: a scalar for all latents, or one a latent (F).

    Source: JumpReLU, paper eq. 2; the inference form of BatchTopK (section 2.4) and of WTA (section 3.1).
    """
    # What is compared with a threshold that is not set yet (NaN, in training) is kept.
    if threshold.ndim == 0:
        return torch.nn.functional.threshold(pre, float(threshold), 0.0)
    # A mask in floats: masked_fill and where branch, and take several times as long on a CPU. As "not <=", for NaN's sake.
    return pre.clone().le_(threshold).eq_(0).mul_(pre)


def winners_per_sequence(pre_SLF: Tensor, rate: float) -> Tensor:
    """Each latent's winners along the tokens of each sequence; their number follows from the number of SEQUENCES, S.

    What the paper's released evaluation does in place of the threshold that its text describes: k = max(1, floor(S *
    rate)), so that at k = 1 a latent fires once a sequence whatever it was trained for. Depends on the batch, by its
    definition.
    """
    winners = min(winners_per_latent(rate, pre_SLF.shape[0]), pre_SLF.shape[1])
    cut_S1F = pre_SLF.amax(1, keepdim=True) if winners == 1 else pre_SLF.topk(winners, dim=1).values[:, -1:]
    return pre_SLF.clone().ge_(cut_S1F).mul_(pre_SLF)
