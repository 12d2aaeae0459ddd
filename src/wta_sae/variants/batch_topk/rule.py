"""BatchTopK: a batch keeps as many of its largest activations as k a token are.

Shape suffixes: B tokens of a batch, F latents, P pairs.
"""

import torch
from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs
from wta_sae.codes.dense_codes import DenseCodes
from wta_sae.codes.dense_selection import keep_largest
from wta_sae.codes.fast_selection import pairs_at
from wta_sae.codes.variant_rule import Moment, SelectionRule
from wta_sae.sae.quickselect import group_maxima, kth_largest, mark_largest, positions_from


class Rule(SelectionRule):
    """k: active latents a token, on average. Source: paper eq. 3; Bussmann et al. 2024."""

    inference = "threshold"

    def select(self, pre_BF: Tensor, moment: Moment) -> Tensor:
        """Ties at the cut: exactly k * B are kept."""
        flat = pre_BF.flatten()
        values, indices = flat.topk(self.k * pre_BF.shape[0], sorted=False)
        return torch.zeros_like(flat).scatter_(0, indices, values).view_as(pre_BF)

    def select_pairs(self, pre_BF: Tensor, moment: Moment) -> ActivePairs:
        pre_BF, winners = pre_BF.contiguous(), self.k * len(pre_BF)
        pre_RM = pre_BF.numpy()
        # As many maxima of disjoint groups as there are winners are above the bound, so no winner is below it.
        bound = kth_largest(group_maxima(pre_RM, self.k).reshape(-1), winners)
        positions_P = positions_from(pre_RM, lambda rows: bound)
        return pairs_at(pre_BF, positions_P[mark_largest(pre_RM.reshape(-1)[positions_P], winners)])

    def select_dense(self, pre_BF: Tensor, moment: Moment) -> DenseCodes:
        return DenseCodes(keep_largest(pre_BF.reshape(1, -1), self.k * len(pre_BF)).view_as(pre_BF))
