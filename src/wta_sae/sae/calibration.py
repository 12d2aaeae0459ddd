"""Inference thresholds at which an SAE reaches a wanted L0: what makes SAEs of unlike rules comparable at equal cost.

Shape suffixes: C contexts, S sequences of a batch, N tokens of a batch, F latents, A activations that are kept.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.base.progress import progress
from wta_sae.language_model.model import LanguageModel, check_tokens
from wta_sae.sae.compatibility import check_saes
from wta_sae.sae.sae import SAE, encode_with_each

TOLERANCE = 0.01  # of the wanted L0


@torch.no_grad()
def thresholds_at_l0(
    lm: LanguageModel, sae: SAE, tokens_CL: Tensor, l0: float, shapes: Mapping[str, Tensor], batch_contexts: int = 16
) -> dict[str, Tensor]:
    """Each shape times the factor at which `l0` latents a token lie above it, over the valid tokens; exact on these tokens.

    shapes: name -> thresholds known up to a factor: a positive scalar for one cut, or (F) for a cut a latent, infinite where
    a latent is to stay silent. Where fewer activations than asked for are positive, the factor is 0: all of them are kept.
    Memory: the l0 * tokens largest activations, and one batch. Raises UserError for an l0 outside (0, latents].
    """
    check_tokens(lm, tokens_CL)
    check_saes(lm.width, {sae.inference: sae})
    if not 0 < l0 <= len(sae.W_dec_FD):
        raise UserError(f"l0: {l0} is not between 0 and the SAE's {len(sae.W_dec_FD)} latents")
    wanted = round(l0 * int(lm.valid(tokens_CL).sum()))
    largest = {name: torch.zeros(0, device=lm.device) for name in shapes}
    batches = tokens_CL.split(batch_contexts)
    for batch_SL in progress(batches, "calibrating", len(batches), "batches"):
        tokens_SL = batch_SL.to(lm.device).long()
        pre_NF = sae.pre_activations(lm.residual(tokens_SL)[lm.valid(tokens_SL)])
        for name, shape in shapes.items():
            largest[name] = _largest(torch.cat([largest[name], (pre_NF / shape).flatten()]), wanted + 1)
    factors = {name: _cut(largest[name], wanted) for name in shapes}
    return {name: torch.where(shape.isinf(), shape, shape * factors[name]) for name, shape in shapes.items()}


@torch.no_grad()
def reached_l0(lm: LanguageModel, saes: Mapping[str, SAE], tokens_CL: Tensor, batch_contexts: int = 16) -> dict[str, float]:
    """Active latents a valid token of each SAE."""
    active, tokens = dict.fromkeys(saes, 0), 0
    for batch_SL in tokens_CL.split(batch_contexts):
        tokens_SL = batch_SL.to(lm.device).long()
        x_ND = lm.residual(tokens_SL)[lm.valid(tokens_SL)]
        tokens += len(x_ND)
        for label, acts_NF in encode_with_each(saes, x_ND):
            active[label] += int(acts_NF.count_nonzero())
    return {label: count / tokens for label, count in active.items()}


def check_reached(l0: float, reached: Mapping[str, float]) -> None:
    """Raises UserError where a rule's L0 on the calibration tokens is not what was asked for, within TOLERANCE."""
    for rule, found in reached.items():
        if abs(found - l0) > TOLERANCE * l0:
            raise UserError(
                f"l0: {l0:g} cannot be reached by {rule}, which comes to {found:.3f} on the calibration tokens; ask for one "
                "that the SAE's positive activations allow"
            )


def _largest(values_A: Tensor, count: int) -> Tensor:
    values_A = values_A[values_A > 0]
    return values_A if len(values_A) <= count else values_A.topk(count, sorted=False).values


def _cut(largest_A: Tensor, wanted: int) -> Tensor:
    """Between the last value that is kept and the first that is not."""
    if len(largest_A) <= wanted:
        return largest_A.new_zeros(())
    return largest_A.topk(2, largest=False).values.mean()
