"""BatchTopK with a floor: latents keep a few activations of a batch each, and the largest of the others share what is left.

Shape suffixes: B tokens of a batch, F latents, P pairs.

Source: MinFire, a baseline in the code of BeFOND (hadivafaii/BeFOND); there as here latents take turns, and the floors end
before the training does.
"""

import math

import numpy as np
import torch
from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs
from wta_sae.codes.fast_selection import pairs_of_winners, positions_of_winners
from wta_sae.codes.selections import largest_of_batch, winners_of_latents
from wta_sae.codes.variant_rule import Moment, SelectionRule
from wta_sae.sae.quickselect import positions_of_largest_in_all


class Rule(SelectionRule):
    """k: active latents a token, on average, floors among them."""

    latents_first = True
    auxiliary_loss = False

    def select(self, pre_BF: Tensor, moment: Moment) -> Tensor:
        owed_BF = (winners_of_latents(pre_BF, self._floor(pre_BF)) > 0) & self.owed(moment.step)
        return pre_BF * (largest_of_batch(pre_BF.masked_fill(owed_BF, torch.inf), self.k * len(pre_BF)) > 0)

    def select_pairs(self, pre_BF: Tensor, moment: Moment) -> ActivePairs:
        pre_FB = pre_BF.T.contiguous().numpy()
        owed_P = positions_of_winners(pre_FB, self.owed(moment.step).numpy().nonzero()[0], self._floor(pre_BF))
        flat = pre_FB.reshape(-1)
        values_P = flat[owed_P]
        flat[owed_P] = np.inf
        positions_P = positions_of_largest_in_all(pre_FB, self.k * len(pre_BF))
        flat[owed_P] = values_P
        return pairs_of_winners(pre_FB, positions_P)

    def owed(self, step: int) -> Tensor:
        """Which latents have a floor at a step, (F) bool."""
        if step >= (1 - self.options.settle_share) * self.sizes.steps:
            return torch.zeros(self.sizes.latents, dtype=torch.bool, device=self.device)
        budget = self.options.floor_share * self.k * self.sizes.batch_tokens
        turns = max(1, math.ceil(self.sizes.latents * self.options.floor / budget))
        return torch.arange(self.sizes.latents, device=self.device) % turns == step % turns

    def _floor(self, pre_BF: Tensor) -> int:
        return min(self.options.floor, len(pre_BF))
