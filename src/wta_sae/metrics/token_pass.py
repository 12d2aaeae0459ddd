"""One pass over held-out tokens, past everything that is measured on them.

Shape suffixes: C contexts, S sequences of a batch, L positions, D model width, F latents.

Source: SAEBench 0.6.0, `evals/core/main.py`. Encoding always sees whole (S, L, D) batches, special positions included, as
there: the rule `released` depends on it.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from wta_sae.base.progress import progress
from wta_sae.language_model.model import LanguageModel, check_tokens
from wta_sae.metrics.evaluation import Evaluation
from wta_sae.sae.compatibility import check_saes
from wta_sae.sae.sae import SAE, encode_with_each


@dataclass(frozen=True)
class TokenBatch:
    """What the language model and every SAE make of some contexts. valid_SL: where a token is no special one."""

    tokens_SL: Tensor
    valid_SL: Tensor
    residual_SLD: Tensor
    acts_SLF: dict[str, Tensor]
    output_SLD: dict[str, Tensor]


class Measure(Protocol):
    """Running sums over the batches of a pass."""

    def __init__(self, lm: LanguageModel, saes: dict[str, SAE], length: int) -> None:
        """length: of the contexts, in tokens."""

    def add(self, batch: TokenBatch) -> None: ...

    def evaluations(self) -> dict[str, Evaluation]:
        """Of each SAE, by its label."""


@torch.no_grad()
def measure_tokens(
    lm: LanguageModel, saes: dict[str, SAE], tokens_CL: Tensor, batch_contexts: int, *measures: type[Measure]
) -> list[dict[str, Evaluation]]:
    """What each of the measures finds. The blocks below the SAEs run once a batch, and each SAE encodes and decodes once.

    tokens_CL: contexts that start with BOS; batches without a valid token are skipped. Raises UserError where no batch has one,
    and for SAEs of another width than the language model's.
    """
    check_tokens(lm, tokens_CL)
    check_saes(lm.width, saes)
    running = [measure(lm, saes, tokens_CL.shape[1]) for measure in measures]
    batches = tokens_CL.split(batch_contexts)
    for batch_SL in progress(batches, "held-out tokens", len(batches), "batches"):
        tokens_SL = batch_SL.to(lm.device).long()
        valid_SL = lm.valid(tokens_SL)
        if not valid_SL.any():
            continue
        residual_SLD = lm.residual(tokens_SL)
        acts_SLF = dict(encode_with_each(saes, residual_SLD))
        output_SLD = {label: sae.decode(acts_SLF[label]) for label, sae in saes.items()}
        for measure in running:
            measure.add(TokenBatch(tokens_SL, valid_SL, residual_SLD, acts_SLF, output_SLD))
    return [measure.evaluations() for measure in running]
