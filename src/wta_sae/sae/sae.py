"""The inference form of a sparse autoencoder (SAE): weights and an inference rule.

Shape suffixes: D model width, F latents; `...` any leading dimensions (tokens, or sequences and positions).

What an SAE does at inference never depends on the batch that it is given, except under the rule `released`, by its
definition.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from wta_sae.base.given import given
from wta_sae.sae.readouts import above_threshold, top_k, winners_per_sequence

THRESHOLD_RULES = ("threshold", "described", "per_latent", "matched_threshold", "matched_per_latent")
INFERENCE_RULES = ("topk", *THRESHOLD_RULES, "released", "matched_topk", "relu")  # all that an SAE may be read out by


@dataclass(frozen=True)
class SAE:
    """Weights, and the rule that reads them out.

    inference:
        `topk`, `matched_topk`: each token's k largest;
        `threshold`, `described`, `matched_threshold`: strictly above `threshold`, a scalar;
        `per_latent`, `matched_per_latent`: strictly above `threshold`, (F);
        `released`: winners per sequence at the nominal `rate`; wants (sequences, positions, D) input;
        `relu`: all that are positive.
    """

    W_enc_DF: Tensor
    b_enc_F: Tensor
    W_dec_FD: Tensor
    b_dec_D: Tensor
    inference: str
    k: int | None = None
    threshold: Tensor | None = None
    rate: float | None = None
    subtract_b_dec: bool = True  # SAELens' apply_b_dec_to_input

    def pre_activations(self, x: Tensor) -> Tensor:
        """ReLU((x - b_dec) W_enc + b_enc), (..., D) -> (..., F)."""
        centred = x - self.b_dec_D if self.subtract_b_dec else x
        return torch.relu_(linear(centred, self.W_enc_DF.T, self.b_enc_F))

    def encode(self, x: Tensor) -> Tensor:
        """Latent activations, (..., D) -> (..., F)."""
        return self.select(self.pre_activations(x))

    def select(self, pre: Tensor) -> Tensor:
        """What the inference rule keeps of the pre-activations, (..., F) -> (..., F). Raises ValueError for an unknown one."""
        match self.inference:
            case "topk" | "matched_topk":
                return top_k(pre, given(self.k, "the SAE's k"))
            case "released":
                return winners_per_sequence(pre, given(self.rate, "the SAE's rate"))
            case "relu":
                return pre
            case rule if rule in THRESHOLD_RULES:
                return above_threshold(pre, given(self.threshold, "the SAE's threshold"))
        raise ValueError(f"no inference rule {self.inference!r}; use one of: {', '.join(INFERENCE_RULES)}")

    def decode(self, acts: Tensor) -> Tensor:
        """Reconstruction, (..., F) -> (..., D)."""
        return acts @ self.W_dec_FD + self.b_dec_D

    def rescaled(self, scale: float) -> "SAE":
        """The SAE of activations `scale` times as large: its encode(scale * x) is scale * encode(x) of this one."""
        threshold = None if self.threshold is None else self.threshold * scale
        return replace(self, b_enc_F=self.b_enc_F * scale, b_dec_D=self.b_dec_D * scale, threshold=threshold)

    def to(self, device: torch.device) -> "SAE":
        moved: dict[str, Any] = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **moved)

    def shares_encoder(self, other: "SAE") -> bool:
        """Whether both have the very same encoder tensors, and so the same pre-activations."""
        same_tensors = all(getattr(self, name) is getattr(other, name) for name in ("W_enc_DF", "b_enc_F", "b_dec_D"))
        return same_tensors and self.subtract_b_dec == other.subtract_b_dec


def encode_with_each(saes: Mapping[str, SAE], x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Each SAE's label and its latent activations of the same input, (..., D) -> (..., F), one SAE after the other.

    Neighbours that share their encoder, as one SAE under several inference rules, share the pre-activations too.
    """
    before = None
    for label, sae in saes.items():
        if before is None or not sae.shares_encoder(before):
            pre = sae.pre_activations(x)
        yield label, sae.select(pre)
        before = sae
