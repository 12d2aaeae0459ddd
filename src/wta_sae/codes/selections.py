"""Selections that several variants are made of: pre-activations after the ReLU in, the same with the losers set to zero out.

Shape suffixes: B tokens of a batch, F latents.

Those by a token alone, by which an SAE is also read out, stand in `wta_sae.sae.readouts`.
"""

import torch
from torch import Tensor


def winners_of_latents(pre_BF: Tensor, winners: int) -> Tensor:
    """Keeps each latent's largest activations of the batch. Ties at the cut are all kept. Source: paper section 3.1, step 3."""
    cut_F = pre_BF.topk(winners, dim=0).values[-1]
    return pre_BF.masked_fill(pre_BF < cut_F, 0)


def largest_of_batch(pre_BF: Tensor, count: int) -> Tensor:
    """Keeps so many of the batch's largest activations, wherever they are. Source: paper eq. 3."""
    flat = pre_BF.flatten()
    values, places = flat.topk(count, sorted=False)
    return torch.zeros_like(flat).scatter_(0, places, values).view_as(pre_BF)
