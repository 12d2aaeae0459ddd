"""Winner-takes-all with a penalty on dense tokens: the square of how many latents fire on one.

    penalty = mean over tokens of (n_b / k)^2,   n_b = sum over latents of tanh(s a_bj)

Its derivative by an activation is 2 s n_b (1 - tanh(s a_bj)^2) / (k^2 B). There are as many winners whatever the weights are,
so that the penalty is least where every token has as many as any other. The paper names a penalty on "high feature density
per sample" and gives no formula; the smooth count is the one of tanh penalties on the decoder's unit rows.

Shape suffixes: B tokens of a batch, F latents, P pairs.
"""

import torch
from torch import Tensor

from wta_sae.codes.fast_selection import pairs_of_winners
from wta_sae.codes.selections import winners_of_latents
from wta_sae.codes.variant_rule import Encoded, Fit, Loss, LossRule, Moment, residual, squared_error
from wta_sae.sae.quickselect import positions_of_largest


class Rule(LossRule):
    """k: active latents a token, on average: each latent has its equal part of them, k * B / F winners of a batch."""

    latents_first = True
    auxiliary_loss = False

    def loss(self, encoded: Encoded, moment: Moment) -> Loss:
        pre_BF = encoded.pre_BF.relu()
        acts_BF = pre_BF * (winners_of_latents(pre_BF.detach(), self.winners()) > 0)
        return Loss(squared_error(encoded, acts_BF) + self.options.weight * self.penalty(acts_BF), acts_BF)

    def fit_pairs(self, encoded: Encoded, moment: Moment) -> Fit:
        centred_BD, pre_BF, W_dec_FD = encoded
        tokens, steepness, weight = len(centred_BD), self.options.steepness, self.options.weight
        pre_FB = pre_BF.T.contiguous().numpy()
        codes = pairs_of_winners(pre_FB, positions_of_largest(pre_FB, self.winners(), all_ties=True))
        counted_P = torch.tanh(steepness * codes.values_P)
        density_B = counted_P.new_zeros(tokens).index_add_(0, codes.tokens_P, counted_P)
        error_BD, squared, output_gradient_BD = residual(encoded, codes)
        own_gradient_P = (1 - counted_P.square()) * density_B[codes.tokens_P] * (2 * weight * steepness / self.k**2 / tokens)
        gradient = codes.gradients(output_gradient_BD, centred_BD, W_dec_FD, own_gradient_P)
        loss = squared + weight * (density_B / self.k).square().mean()
        return Fit(codes, error_BD, squared, loss, gradient, output_gradient_BD)

    def penalty(self, acts_BF: Tensor) -> Tensor:
        """Of dense tokens, as the module's head has it; 0-dimensional."""
        density_B = torch.tanh(self.options.steepness * acts_BF).sum(1)
        return (density_B / self.k).square().mean()

    def winners(self) -> int:
        """Of each latent, in a batch."""
        return max(1, self.k * self.sizes.batch_tokens // self.sizes.latents)
