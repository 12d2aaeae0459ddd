"""JumpReLU: an activation passes where it is above its latent's threshold, which is trained.

Shape suffixes: B tokens of a batch, F latents, P pairs that are active or near their threshold, N near ones.

Source: Rajamanoharan et al. 2024, with the penalty on L0 that aims at a number; as in dictionary_learning's `JumpReluTrainer`,
but for three things. Its pseudo-gradient of L0 is of the activations after their jump, so that it misses those below the
threshold: here it is of those before. What is encoded is x - b_dec, as by every variant here. The rectangle ends at 0, where
the ReLU does. As there, the thresholds themselves are trained, and not their logarithms, which hardly move under Adam.
"""

import torch
from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs
from wta_sae.codes.fast_selection import pairs_at
from wta_sae.codes.variant_rule import Encoded, Fit, Loss, LossRule, Moment, residual, squared_error
from wta_sae.sae.quickselect import positions_from


class Rule(LossRule):
    """k: active latents a token, on average, at which the penalty aims."""

    auxiliary_loss = False
    adam_betas = (0.0, 0.999)

    def initial_parameters(self) -> dict[str, Tensor]:
        return {"threshold": torch.full((self.sizes.latents,), self.options.start)}

    def loss(self, encoded: Encoded, moment: Moment) -> Loss:
        pre_BF, threshold_F = encoded.pre_BF.relu(), self.parameters["threshold"]
        bandwidth = self.options.bandwidth
        active_BF = pre_BF > threshold_F
        # Neither jump has a gradient by the threshold: each gets, at a value of 0, the slope of its rectangle.
        near_BF = (((pre_BF - threshold_F).detach().abs() < bandwidth / 2) & (pre_BF > 0)) / bandwidth
        moved_BF = near_BF * (threshold_F.detach() - threshold_F)
        acts_BF = pre_BF * active_BF + threshold_F.detach() * moved_BF
        l0 = (active_BF + moved_BF).sum() / len(pre_BF)
        penalty = self.options.weight * self._warmth(moment.step) * (l0 / self.k - 1).square()
        return Loss(squared_error(encoded, acts_BF) + penalty, acts_BF)

    def fit_pairs(self, encoded: Encoded, moment: Moment) -> Fit:
        centred_BD, pre_BF, W_dec_FD = encoded
        tokens, threshold_F, bandwidth = len(centred_BD), self.parameters["threshold"].detach(), self.options.bandwidth
        pre_BF = pre_BF.contiguous()
        lowest_1F = (threshold_F - bandwidth / 2)[None].numpy()
        found = pairs_at(pre_BF, positions_from(pre_BF.numpy(), lambda rows: lowest_1F))
        threshold_P = threshold_F[found.latents_P]
        active_P = found.values_P > threshold_P
        codes = ActivePairs(found.tokens_P[active_P], found.latents_P[active_P], found.values_P[active_P], found.shape)
        error_BD, squared, output_gradient_BD = residual(encoded, codes)
        excess = codes.active() / tokens / self.k - 1
        weight = self.options.weight * self._warmth(moment.step)
        # Of the loss by the thresholds: by what the activations near them decode to, and by their number.
        near_P = (found.values_P - threshold_P).abs() < bandwidth / 2
        tokens_N, latents_N = found.tokens_P[near_P], found.latents_P[near_P]
        by_value_N = (output_gradient_BD[tokens_N] * W_dec_FD[latents_N]).sum(1)
        moved_N = threshold_P[near_P] * by_value_N + 2 * weight * excess / (self.k * tokens)
        own_F = torch.zeros_like(threshold_F).index_add_(0, latents_N, moved_N / -bandwidth)
        gradient = codes.gradients(output_gradient_BD, centred_BD, W_dec_FD)
        return Fit(codes, error_BD, squared, squared + weight * excess.square(), gradient, output_gradient_BD, (own_F,))

    def thresholds(self, shared: Tensor, per_latent_F: Tensor) -> dict[str, Tensor]:
        return {"per_latent": self.parameters["threshold"].detach().clamp(min=0)}  # below 0 the ReLU cuts at 0

    def _warmth(self, step: int) -> float:
        steps = self.options.warmup_share * self.sizes.steps
        return min(step / steps, 1.0) if steps else 1.0
