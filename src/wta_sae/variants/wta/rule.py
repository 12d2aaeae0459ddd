"""Winner-takes-all: each latent keeps its largest activations over a batch's tokens.

Shape suffixes: B tokens of a batch, F latents.
"""

from dataclasses import replace

from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs
from wta_sae.codes.dense_codes import DenseCodes
from wta_sae.codes.dense_selection import keep_down_to_kth
from wta_sae.codes.fast_selection import pairs_of_winners
from wta_sae.codes.selections import winners_of_latents
from wta_sae.codes.variant_rule import Moment, SelectionRule
from wta_sae.sae.quickselect import positions_of_largest
from wta_sae.sae.readouts import above_threshold
from wta_sae.sae.sae import SAE


class Rule(SelectionRule):
    """k: winners a latent and batch. Source: paper section 3.1, step 3; ties, and the options, as in the released code."""

    latents_first = True
    auxiliary_loss = False
    inference = shared_threshold = "described"

    def select(self, pre_BF: Tensor, moment: Moment) -> Tensor:
        """Ties at the cut are all kept."""
        if self._gate_is_on(moment.step):
            pre_BF = above_threshold(pre_BF, moment.threshold)
        return winners_of_latents(pre_BF, self.k)

    def select_pairs(self, pre_BF: Tensor, moment: Moment) -> ActivePairs:
        self._gate(pre_BF, moment)
        pre_FB = pre_BF.T.contiguous().numpy()
        return pairs_of_winners(pre_FB, positions_of_largest(pre_FB, self.k, all_ties=True))

    def select_dense(self, pre_BF: Tensor, moment: Moment) -> DenseCodes:
        self._gate(pre_BF, moment)
        return DenseCodes(keep_down_to_kth(pre_BF.T.contiguous(), self.k).T)

    def shared_threshold_start(self) -> int:
        return -1 if self.options.gate == "early" else self.sizes.threshold_start_step

    def rescaled(self, sae: SAE, norm_factor: float) -> SAE:
        rescaled = sae.rescaled(norm_factor)
        return rescaled if self.options.rescale_encoder_bias else replace(rescaled, b_enc_F=sae.b_enc_F)

    def _gate_is_on(self, step: int) -> bool:
        begun = step > self.sizes.threshold_start_step
        return self.options.gate != "never" and begun == (self.options.gate == "late")

    def _gate(self, pre_BF: Tensor, moment: Moment) -> None:
        """In place: a copy of this size costs more than the gate. All stays where the threshold is not set yet (NaN)."""
        if self._gate_is_on(moment.step):
            pre_BF.masked_fill_(pre_BF <= moment.threshold, 0)
