"""Every activation of an SAE on some contexts, by latents.

Shape suffixes: C contexts, S contexts of a batch, L positions, T tokens of all contexts, F latents, A activations that are
not zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from wta_sae.base.progress import progress
from wta_sae.language_model.model import LanguageModel, check_tokens
from wta_sae.sae.compatibility import check_saes
from wta_sae.sae.sae import SAE


@dataclass(frozen=True)
class LatentActivations:
    """Where the latents of an SAE fire, and how strongly, on the CPU: 12 bytes an activation.

    start_F1: where each latent's activations begin, and the last one's end; token_A: their tokens, counted through all
    contexts, ascending for each latent; act_A: float32. valid_tokens: how many tokens are no special ones, which alone count.
    """

    start_F1: Tensor
    token_A: Tensor
    act_A: Tensor
    valid_tokens: int

    def density_F(self) -> Tensor:
        """The share of valid tokens on which each latent fires."""
        return self.start_F1.diff() / self.valid_tokens

    def dense_T(self, latent: int, tokens: int) -> Tensor:
        """Its activation on each of so many tokens."""
        there = slice(int(self.start_F1[latent]), int(self.start_F1[latent + 1]))
        return torch.zeros(tokens).index_copy_(0, self.token_A[there].long(), self.act_A[there])


class Gathering:
    """Takes activations batch by batch, and gives them by latents."""

    def __init__(self) -> None:
        self.tokens = 0
        self.columns: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, acts_TF: Tensor) -> None:
        """Those on the next tokens, zero where a latent is silent."""
        token_A, latent_A = acts_TF.nonzero(as_tuple=True)
        self.columns.append(((token_A + self.tokens).int().cpu(), latent_A.int().cpu(), acts_TF[token_A, latent_A].cpu()))
        self.tokens += len(acts_TF)

    def by_latents(self, latents: int, valid_tokens: int) -> LatentActivations:
        token_A, latent_A, act_A = (torch.cat(column) for column in zip(*self.columns, strict=True))
        order_A = latent_A.argsort(stable=True)  # tokens ascend as they came
        start_F1 = torch.zeros(latents + 1, dtype=torch.long)
        start_F1[1:] = latent_A.bincount(minlength=latents).cumsum(0)
        return LatentActivations(start_F1, token_A[order_A], act_A[order_A], valid_tokens)


@torch.no_grad()
def latent_activations(
    lm: LanguageModel, saes: Mapping[str, SAE], tokens_CL: Tensor, batch_contexts: int
) -> dict[str, LatentActivations]:
    """Of each SAE, by one pass over the contexts, which start with BOS. Special tokens have none.

    Raises UserError as `measure_tokens` does.
    """
    check_tokens(lm, tokens_CL)
    check_saes(lm.width, saes)
    gathered = {label: Gathering() for label in saes}
    valid_tokens = 0
    batches = tokens_CL.split(batch_contexts)
    for batch_SL in progress(batches, "contexts", len(batches), "batches"):
        valid_SL = lm.valid(batch_SL.to(lm.device))
        residual_SLD = lm.residual(batch_SL)
        valid_tokens += int(valid_SL.sum())
        for label, sae in saes.items():
            gathered[label].add((sae.encode(residual_SLD) * valid_SL[..., None]).flatten(0, 1))
    return {label: of.by_latents(len(saes[label].W_dec_FD), valid_tokens) for label, of in gathered.items()}
