"""Winner-takes-all by demand: a latent has as many winners of a batch as BatchTopK would have given it of late.

Shape suffixes: B tokens of a batch, F latents, P pairs.
"""

import numpy as np
import torch
from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs
from wta_sae.codes.fast_selection import pairs_of_winners, positions_of_winners
from wta_sae.codes.selections import largest_of_batch
from wta_sae.codes.variant_rule import Encoded, Moment, SelectionRule
from wta_sae.sae.quickselect import positions_of_largest_in_all


class Rule(SelectionRule):
    """k: active latents a token, on average, but for rounding and for the one winner that each latent has at least.

    state: `demand`, the moving average of the share of tokens on which each latent is among the batch's k * B largest.
    """

    latents_first = True
    auxiliary_loss = False

    def initial_state(self) -> dict[str, Tensor]:
        return {"demand": torch.full((self.sizes.latents,), 1 / self.sizes.latents)}

    def select(self, pre_BF: Tensor, moment: Moment) -> Tensor:
        """Ties at the cut are all kept."""
        winners_F = self.winners(len(pre_BF), moment.step)
        cut_1F = pre_BF.sort(dim=0, descending=True).values.gather(0, winners_F[None] - 1)
        return pre_BF.masked_fill(pre_BF < cut_1F, 0)

    def select_pairs(self, pre_BF: Tensor, moment: Moment) -> ActivePairs:
        pre_FB = pre_BF.T.contiguous().numpy()
        winners_F = self.winners(len(pre_BF), moment.step).numpy()
        found = [
            positions_of_winners(pre_FB, np.flatnonzero(winners_F == winners), int(winners)) for winners in np.unique(winners_F)
        ]
        return pairs_of_winners(pre_FB, np.sort(np.concatenate(found)))

    def follow(self, encoded: Encoded, moment: Moment) -> None:
        """By what BatchTopK would select: what the rule itself selects is what it gave."""
        tokens, latents = encoded.pre_BF.shape
        if encoded.pre_BF.device.type == "cpu":
            positions_P = positions_of_largest_in_all(encoded.pre_BF.T.contiguous().numpy(), self.k * tokens)
            wins_F = torch.from_numpy(np.bincount(positions_P // tokens, minlength=latents))
        else:
            wins_F = (largest_of_batch(encoded.pre_BF.relu(), self.k * tokens) > 0).sum(0)
        demand_F = self.state["demand"]
        self.state["demand"] = demand_F.lerp((wins_F / tokens).to(demand_F), self.options.speed)

    def winners(self, tokens: int, step: int) -> Tensor:
        """Each latent's winners of a batch, (F) int64: the budget in parts as `shares` has them, at least one winner each."""
        return (self.k * tokens * self.shares(step)).round().clamp(1, tokens).long()

    def shares(self, step: int) -> Tensor:
        """Each latent's part of the budget, (F)."""
        return self.state["demand"] / self.state["demand"].sum()
