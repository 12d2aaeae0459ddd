"""How a CPU finds winners fast: pre-activations in, active pairs out.

Shape suffixes: B tokens of a batch, F latents, P pairs.

On a CPU torch.topk and dense outputs cost several times the encoder's matrix product; see `wta_sae.sae.quickselect`.
"""

import numpy as np
import torch
from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs, order_by
from wta_sae.sae.quickselect import positions_of_largest


def top_k_pairs(pre_BF: Tensor, k: int) -> ActivePairs:
    """Each token's k largest that are positive, as active pairs; of ties at the cut, the first."""
    pre_BF = pre_BF.contiguous()
    return pairs_at(pre_BF, positions_of_largest(pre_BF.numpy(), k))


def pairs_at(pre_BF: Tensor, positions_P: np.ndarray) -> ActivePairs:
    """The pairs at these flat positions of contiguous activations, ascending."""
    tokens_P, latents_P = np.divmod(positions_P, pre_BF.shape[1])
    positions, tokens, latents = map(torch.from_numpy, (positions_P, tokens_P, latents_P))
    return ActivePairs(tokens, latents, pre_BF.view(-1)[positions], tuple(pre_BF.shape))


def positions_of_winners(pre_FB: np.ndarray, latents: np.ndarray, winners: int) -> np.ndarray:
    """Flat positions of these latents' largest activations that are positive, all ties at the cut among them.

    pre_FB: latent by latent; latents: ascending.
    """
    tokens = pre_FB.shape[1]
    positions_P = positions_of_largest(pre_FB[latents], winners, all_ties=True)
    return latents[positions_P // tokens] * tokens + positions_P % tokens


def pairs_of_winners(pre_FB: np.ndarray, positions_P: np.ndarray) -> ActivePairs:
    """The pairs at these flat positions of activations that lie latent by latent, ascending."""
    latents, tokens = pre_FB.shape
    parts = (*np.divmod(positions_P, tokens), pre_FB.reshape(-1)[positions_P])
    latents_P, tokens_P, values_P = map(torch.from_numpy, parts)
    by_token_P = order_by(tokens_P, tokens)
    return ActivePairs(tokens_P[by_token_P], latents_P[by_token_P], values_P[by_token_P], (tokens, latents))
