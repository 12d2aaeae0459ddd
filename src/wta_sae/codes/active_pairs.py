"""Codes as their active (token, latent) pairs alone, which are few: what a CPU trains on.

Shape suffixes: B tokens of a batch, D model width, F latents, P active pairs.

Only the encoder's matrix product is dense; the rest touches active pairs, which costs a fraction k / F of the dense
arithmetic and is equal to it.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from wta_sae.codes.codes import CodeGradients

# The derivative of embedding_bag by its weights: for each pair, the product of its row in one table with its row in another.
_pair_products = torch.ops.aten._embedding_bag_per_sample_weights_backward
_SUM = 0  # embedding_bag's mode, as that function wants it


class ActivePairs(NamedTuple):
    """A form of `wta_sae.codes.codes.Codes`, sorted by token. tokens, latents: int64 (P); values: (P); shape: B and F."""

    tokens_P: Tensor
    latents_P: Tensor
    values_P: Tensor
    shape: tuple[int, ...]

    def decode(self, W_dec_FD: Tensor) -> Tensor:
        offsets_B = _offsets(self.tokens_P, self.shape[0])
        return embedding_bag(self.latents_P, W_dec_FD, offsets_B, mode="sum", per_sample_weights=self.values_P)

    def gradients(
        self, output_gradient_BD: Tensor, centred_BD: Tensor, W_dec_FD: Tensor, own_gradient_P: Tensor | None = None
    ) -> CodeGradients:
        """own_gradient_P: of the loss by the values, beside what they decode to."""
        latents = self.shape[1]
        order_P = order_by(self.latents_P, latents)
        tokens_P, values_P = self.tokens_P[order_P], self.values_P[order_P]
        offsets_F = _offsets(self.latents_P, latents)
        bags_P = self.latents_P[order_P]
        value_gradient_P = _pair_products(W_dec_FD, output_gradient_BD, tokens_P, offsets_F, bags_P, _SUM)
        if own_gradient_P is not None:
            value_gradient_P += own_gradient_P[order_P]
        return CodeGradients(
            W_enc_FD=embedding_bag(tokens_P, centred_BD, offsets_F, mode="sum", per_sample_weights=value_gradient_P),
            b_enc_F=torch.zeros_like(W_dec_FD[:, 0]).index_add_(0, bags_P, value_gradient_P),
            W_dec_FD=embedding_bag(tokens_P, output_gradient_BD, offsets_F, mode="sum", per_sample_weights=values_P),
        )

    def smallest_of_tokens(self) -> Tensor:
        return _smallest(self.values_P, self.tokens_P, self.shape[0])

    def smallest_of_latents(self) -> Tensor:
        return _smallest(self.values_P, self.latents_P, self.shape[1])

    def active(self) -> Tensor:
        return torch.tensor(len(self.values_P))


def pairs_of(acts_BF: Tensor) -> ActivePairs:
    """The active pairs of dense activations, none of which is negative."""
    tokens_P, latents_P = acts_BF.nonzero(as_tuple=True)
    return ActivePairs(tokens_P, latents_P, acts_BF[tokens_P, latents_P], tuple(acts_BF.shape))


def order_by(groups_P: Tensor, groups: int) -> Tensor:
    """The stable order that sorts pairs by their group (latent, or token); 16-bit keys sort several times as fast."""
    return (groups_P.short() if groups <= 2**15 else groups_P).argsort(stable=True)


def _smallest(values_P: Tensor, groups_P: Tensor, groups: int) -> Tensor:
    return values_P.new_full((groups,), torch.inf).scatter_reduce_(0, groups_P, values_P, "amin")


def _offsets(groups_P: Tensor, groups: int) -> Tensor:
    counts = torch.bincount(groups_P, minlength=groups)
    return counts.cumsum(0) - counts
