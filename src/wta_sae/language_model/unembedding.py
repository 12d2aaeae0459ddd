"""Which tokens directions of the residual stream speak for, by the end of the model alone.

Shape suffixes: N directions, D model width, V vocabulary.
"""

import torch
from torch import Tensor

from wta_sae.language_model.model import LanguageModel
from wta_sae.language_model.residual_stream import ResidualStream


@torch.no_grad()
def direct_logits(lm: LanguageModel, directions_ND: Tensor) -> Tensor:
    """The logits that the final norm and the unembedding make of directions, (N, D) -> (N, V) float32, on the CPU.

    Less those of a zero vector: what the norm's bias adds is the same for all directions. The norm makes all of one length.
    Source: the logit lens (nostalgebraist 2020), on decoder directions as SAEDashboard shows them; it leaves the norm out.
    """
    end = ResidualStream(lm.model, len(lm.stream.blocks) - 1)
    with_zero_ND = torch.cat([directions_ND, directions_ND.new_zeros(1, directions_ND.shape[1])]).to(lm.device)
    logits_NV = end.logits_from(with_zero_ND[:, None])[:, 0].float().cpu()
    return logits_NV[:-1] - logits_NV[-1]
