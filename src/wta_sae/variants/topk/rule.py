"""TopK: each token keeps its k largest activations.

Shape suffixes: B tokens of a batch, F latents.
"""

from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs
from wta_sae.codes.codes import Codes, mean_of_tokens_smallest
from wta_sae.codes.dense_codes import DenseCodes
from wta_sae.codes.dense_selection import top_k_dense
from wta_sae.codes.fast_selection import top_k_pairs
from wta_sae.codes.variant_rule import Moment, SelectionRule
from wta_sae.sae.readouts import top_k


class Rule(SelectionRule):
    """k: active latents a token. Source: paper eq. 1; Gao et al. 2024."""

    inference = "topk"

    def select(self, pre_BF: Tensor, moment: Moment) -> Tensor:
        """Ties at the cut: exactly k are kept."""
        return top_k(pre_BF, self.k)

    def select_pairs(self, pre_BF: Tensor, moment: Moment) -> ActivePairs:
        return top_k_pairs(pre_BF, self.k)

    def select_dense(self, pre_BF: Tensor, moment: Moment) -> DenseCodes:
        return top_k_dense(pre_BF, self.k)

    def batch_threshold(self, codes: Codes, smallest_F: Tensor) -> Tensor:
        return mean_of_tokens_smallest(codes)
