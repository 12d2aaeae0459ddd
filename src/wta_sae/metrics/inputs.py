"""What every metric family asks of its input.

Shape suffixes: C contexts, L positions.
"""

from collections.abc import Mapping

from torch import Tensor

from wta_sae.errors import UserError
from wta_sae.language_model import LanguageModel
from wta_sae.sae import SAE


def check_tokens(lm: LanguageModel, tokens_CL: Tensor) -> None:
    """Raises UserError where there is nothing to measure on, or tokens beyond the model's vocabulary."""
    if tokens_CL.ndim != 2 or tokens_CL.numel() == 0:
        raise UserError(f"tokens: shape {tuple(tokens_CL.shape)} holds no context; use (contexts, positions), both > 0")
    if tokens_CL.min() < 0 or tokens_CL.max() >= lm.vocabulary:
        raise UserError(f"tokens: ids beyond the language model's vocabulary of {lm.vocabulary}; use the model's tokenizer")
    if not lm.valid(tokens_CL).any():
        raise UserError("tokens: only special tokens (pad, bos, eos); use text with ordinary ones")


def check_saes(lm: LanguageModel, saes: Mapping[str, SAE]) -> None:
    """Raises UserError where there is no SAE, or one that reads activations of another width."""
    if not saes:
        raise UserError("saes: none given; name at least one SAE to evaluate")
    for label, sae in saes.items():
        if sae.W_enc_DF.shape[0] != lm.width:
            raise UserError(
                f"sae {label!r}: reads activations of width {sae.W_enc_DF.shape[0]}, the language model's are "
                f"{lm.width} wide; use the model that the SAE was trained on"
            )
        if not all(w.isfinite().all() for w in (sae.W_enc_DF, sae.b_enc_F, sae.W_dec_FD, sae.b_dec_D)):
            raise UserError(f"sae {label!r}: weights that are not finite; train it again (with a lower learning rate)")
