"""How a CPU finds winners fast: pre-activations in, active pairs out.

Shape suffixes: B tokens of a batch, F latents, P pairs.

On a CPU torch.topk and dense outputs cost several times the encoder's matrix product; see `wta_sae.sae.quickselect`.
"""

import numpy as np
import torch
from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs
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
