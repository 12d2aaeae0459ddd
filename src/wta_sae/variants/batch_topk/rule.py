"""BatchTopK: a batch keeps as many of its largest activations as k a token are.

Shape suffixes: B tokens of a batch, F latents.
"""

from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs
from wta_sae.codes.dense_codes import DenseCodes
from wta_sae.codes.dense_selection import keep_largest
from wta_sae.codes.fast_selection import pairs_at
from wta_sae.codes.selections import largest_of_batch
from wta_sae.codes.variant_rule import Moment, SelectionRule
from wta_sae.sae.quickselect import positions_of_largest_in_all


class Rule(SelectionRule):
    """k: active latents a token, on average. Source: paper eq. 3; Bussmann et al. 2024."""

    inference = "threshold"

    def select(self, pre_BF: Tensor, moment: Moment) -> Tensor:
        """Ties at the cut: exactly k * B are kept."""
        return largest_of_batch(pre_BF, self.k * len(pre_BF))

    def select_pairs(self, pre_BF: Tensor, moment: Moment) -> ActivePairs:
        pre_BF = pre_BF.contiguous()
        return pairs_at(pre_BF, positions_of_largest_in_all(pre_BF.numpy(), self.k * len(pre_BF)))

    def select_dense(self, pre_BF: Tensor, moment: Moment) -> DenseCodes:
        return DenseCodes(keep_largest(pre_BF.reshape(1, -1), self.k * len(pre_BF)).view_as(pre_BF))
