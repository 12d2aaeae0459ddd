"""The loss that revives dead latents.

Shape suffixes: B tokens of a batch, D model width, K latents that may be dead.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from wta_sae.codes.codes import Codes
from wta_sae.codes.dense_codes import DenseCodes

Select = Callable[[Tensor, int], Codes]  # pre-activations (B, F), k


class AuxiliaryLoss(NamedTuple):
    """The loss, the codes of dead latents that it uses, and its gradient (B, D) by what they decode to."""

    loss: Tensor
    codes: Codes
    output_gradient_BD: Tensor


def auxiliary_loss(error_BD: Tensor, dead_pre_BK: Tensor, W_dec_KD: Tensor, select_top_k: Select) -> AuxiliaryLoss:
    """How badly the dead latents reconstruct what the living ones leave over, as a share of its variance.

    error_BD: the reconstruction error, a constant here; dead_pre_BK: the pre-activations of the dead latents, zero for a
    living one among them. Each token uses its D / 2 largest, or all there are. 0, with no gradient, where the error has no
    variance. Source: Gao et al. 2024, as in dictionary_learning.
    """
    width, candidates = error_BD.shape[1], len(W_dec_KD)
    # Nothing to select, and half of what is there is active: few enough latents for dense products to be the faster ones.
    codes = DenseCodes(dead_pre_BK.relu()) if candidates <= width // 2 else select_top_k(dead_pre_BK, width // 2)
    left_over_BD = error_BD - codes.decode(W_dec_KD)
    share = (1 / (error_BD - error_BD.mean(0)).square().sum()).nan_to_num(posinf=0.0)
    return AuxiliaryLoss(left_over_BD.square().sum() * share, codes, left_over_BD * (-2 * share))
