"""BatchTopK: a batch keeps as many of its largest activations as k a token are.

Shape suffixes: B tokens of a batch, F latents, P pairs.
"""

import numpy as np
import torch
from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs
from wta_sae.codes.dense_codes import DenseCodes
from wta_sae.codes.dense_selection import keep_largest
from wta_sae.codes.fast_selection import candidate_positions, chosen_pairs, kth_largest, mark_largest
from wta_sae.codes.variant_rule import Moment, SelectionRule

GROUPS_A_WINNER = 4  # fewer let more candidates pass, more give more maxima to sort


class Rule(SelectionRule):
    """k: active latents a token, on average. Source: paper eq. 3; Bussmann et al. 2024."""

    inference = "threshold"

    def select(self, pre_BF: Tensor, moment: Moment) -> Tensor:
        """Ties at the cut: exactly k * B are kept."""
        flat = pre_BF.flatten()
        values, indices = flat.topk(self.k * pre_BF.shape[0], sorted=False)
        return torch.zeros_like(flat).scatter_(0, indices, values).view_as(pre_BF)

    def select_pairs(self, pre_BF: Tensor, moment: Moment) -> ActivePairs:
        tokens, latents = pre_BF.shape
        pre_RM = pre_BF.contiguous().numpy()
        # As many maxima of disjoint groups as there are winners are above the bound, so no winner is below it.
        groups = min(GROUPS_A_WINNER * self.k, latents)
        size = latents // groups
        maxima = pre_BF[:, : size * groups].unflatten(1, (size, groups)).amax(1)
        bound = kth_largest(maxima.flatten().numpy(), self.k * tokens)
        positions_P = candidate_positions(pre_RM, lambda rows: bound)
        values_P = pre_RM.reshape(-1)[positions_P]
        chosen_P = mark_largest(values_P, self.k * tokens)
        return chosen_pairs(*np.divmod(positions_P, latents), values_P, chosen_P, pre_BF.shape)

    def select_dense(self, pre_BF: Tensor, moment: Moment) -> DenseCodes:
        return DenseCodes(keep_largest(pre_BF.reshape(1, -1), self.k * len(pre_BF)).view_as(pre_BF))
