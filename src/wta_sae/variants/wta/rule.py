"""Winner-takes-all: each latent keeps its largest activations over a batch's tokens.

Shape suffixes: B tokens of a batch, F latents, P pairs.
"""

import numpy as np
import torch
from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs, order_by
from wta_sae.codes.dense_codes import DenseCodes
from wta_sae.codes.dense_selection import keep_down_to_kth
from wta_sae.codes.fast_selection import candidate_positions, chosen_pairs, kth_largest

LATENTS_FIRST = True


def select(pre_BF: Tensor, winners: int) -> Tensor:
    """Keeps each latent's `winners` largest activations over the batch. Ties at the cut are all kept.

    Source: paper section 3.1, step 3; the ties as in the authors' released code.
    """
    cut_F = pre_BF.topk(winners, dim=0).values[-1]
    return pre_BF.masked_fill(pre_BF < cut_F, 0)


def select_pairs(pre_BF: Tensor, winners: int) -> ActivePairs:
    """`select` as active pairs."""
    pre_RM = pre_BF.T.contiguous().numpy()
    positions_P = candidate_positions(pre_RM, lambda rows: kth_largest(rows, winners)[:, None])
    latents_P, tokens_P = np.divmod(positions_P, pre_RM.shape[1])
    values_P = pre_RM.reshape(-1)[positions_P]
    by_token_P = order_by(torch.from_numpy(tokens_P), len(pre_BF)).numpy()
    return chosen_pairs(tokens_P, latents_P, values_P, by_token_P, pre_BF.shape)


def select_dense(pre_BF: Tensor, winners: int) -> DenseCodes:
    """`select` as dense codes."""
    return DenseCodes(keep_down_to_kth(pre_BF.T.contiguous(), winners).T)
