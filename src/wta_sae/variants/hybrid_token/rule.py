"""TopK with a floor: an activation is kept that is among its token's k largest, or among its latent's few largest of the batch.

Shape suffixes: B tokens of a batch, F latents, P pairs.

After Ayonrinde 2024 (arXiv 2411.02124), whose Token Choice and Feature Choice are the two halves.
"""

import numpy as np
from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs
from wta_sae.codes.fast_selection import pairs_at
from wta_sae.codes.selections import winners_of_latents
from wta_sae.codes.variant_rule import Moment, SelectionRule
from wta_sae.sae.quickselect import positions_of_largest
from wta_sae.sae.readouts import top_k


class Rule(SelectionRule):
    """k: active latents a token; what the floors add is not counted. With them no latent needs to be revived."""

    inference = "topk"
    auxiliary_loss = False

    def select(self, pre_BF: Tensor, moment: Moment) -> Tensor:
        winners_BF = winners_of_latents(pre_BF, self._floor(pre_BF)).masked_fill(~self.owed(moment), 0)
        return top_k(pre_BF, self.k).maximum(winners_BF)

    def select_pairs(self, pre_BF: Tensor, moment: Moment) -> ActivePairs:
        pre_BF = pre_BF.contiguous()
        tokens, latents = pre_BF.shape
        owed = self.owed(moment).expand(latents).nonzero().flatten()
        winners_P = positions_of_largest(pre_BF[:, owed].T.contiguous().numpy(), self._floor(pre_BF), all_ties=True)
        of_latents_P = winners_P % tokens * latents + owed.numpy()[winners_P // tokens]
        return pairs_at(pre_BF, np.union1d(positions_of_largest(pre_BF.numpy(), self.k), of_latents_P))

    def owed(self, moment: Moment) -> Tensor:
        """Which latents keep their floor, (F) bool."""
        return moment.silent_tokens_F >= self.options.patience * self.sizes.batch_tokens

    def _floor(self, pre_BF: Tensor) -> int:
        return min(self.options.floor, len(pre_BF))
