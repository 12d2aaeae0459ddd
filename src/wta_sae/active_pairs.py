"""The arithmetic of training on active (token, latent) pairs alone, which are few: decoding, and all gradients.

Shape suffixes: B tokens of a batch, D model width, F latents, P active pairs.

Only the encoder's matrix product is dense; the rest touches active pairs, which costs a fraction k / F of the dense
arithmetic and is equal to it.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

# The derivative of embedding_bag by its weights: for each pair, the product of its row in one table with its row in another.
_pair_products = torch.ops.aten._embedding_bag_per_sample_weights_backward
_SUM = 0  # embedding_bag's mode, as that function wants it


class ActivePairs(NamedTuple):
    """The positive activations of a batch, sorted by token. tokens, latents: int64 (P); values: (P)."""

    tokens_P: Tensor
    latents_P: Tensor
    values_P: Tensor


class PairGradients(NamedTuple):
    """Gradients of the encoder's and the decoder's rows and of the encoder's bias."""

    W_enc_FD: Tensor
    b_enc_F: Tensor
    W_dec_FD: Tensor


def active_pairs(acts_BF: Tensor) -> ActivePairs:
    """The pairs with a positive activation."""
    tokens_P, latents_P = (acts_BF > 0).nonzero(as_tuple=True)
    return ActivePairs(tokens_P, latents_P, acts_BF[tokens_P, latents_P])


def decode(pairs: ActivePairs, W_dec_FD: Tensor, tokens: int) -> Tensor:
    """The sum of each token's active decoder rows, (B, D): acts @ W_dec."""
    offsets_B = _offsets(pairs.tokens_P, tokens)
    return embedding_bag(pairs.latents_P, W_dec_FD, offsets_B, mode="sum", per_sample_weights=pairs.values_P)


def gradients(pairs: ActivePairs, output_gradient_BD: Tensor, centred_BD: Tensor, W_dec_FD: Tensor) -> PairGradients:
    """Backward through `decode`, the selection (whose choice is constant), the ReLU and the encoder.

    output_gradient_BD: of the loss by what `decode` gave; centred_BD: the encoder's input, x - b_dec.
    """
    latents = len(W_dec_FD)
    order_P = order_by(pairs.latents_P, latents)
    tokens_P, values_P = pairs.tokens_P[order_P], pairs.values_P[order_P]
    offsets_F = _offsets(pairs.latents_P, latents)
    bags_P = pairs.latents_P[order_P]
    value_gradient_P = _pair_products(W_dec_FD, output_gradient_BD, tokens_P, offsets_F, bags_P, _SUM)
    return PairGradients(
        W_enc_FD=embedding_bag(tokens_P, centred_BD, offsets_F, mode="sum", per_sample_weights=value_gradient_P),
        b_enc_F=torch.zeros_like(W_dec_FD[:, 0]).index_add_(0, bags_P, value_gradient_P),
        W_dec_FD=embedding_bag(tokens_P, output_gradient_BD, offsets_F, mode="sum", per_sample_weights=values_P),
    )


def order_by(groups_P: Tensor, groups: int) -> Tensor:
    """The stable order that sorts pairs by their group (latent, or token); 16-bit keys sort several times as fast."""
    return (groups_P.short() if groups <= 2**15 else groups_P).argsort(stable=True)


def smallest(values_P: Tensor, groups_P: Tensor, groups: int) -> Tensor:
    """The smallest value of each group (its latent, or its token); infinity where a group has none."""
    return values_P.new_full((groups,), torch.inf).scatter_reduce_(0, groups_P, values_P, "amin")


def _offsets(groups_P: Tensor, groups: int) -> Tensor:
    counts = torch.bincount(groups_P, minlength=groups)
    return counts.cumsum(0) - counts
