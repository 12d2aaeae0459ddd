"""What a training step asks of a batch's sparse codes, whatever form they are kept in.

Shape suffixes: B tokens of a batch, D model width, F latents.

Two forms, equal in what they give: `wta_sae.codes.active_pairs` on a CPU, `wta_sae.codes.dense_codes` on a GPU.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class CodeGradients(NamedTuple):
    """Gradients of the encoder's and the decoder's rows and of the encoder's bias."""

    W_enc_FD: Tensor
    b_enc_F: Tensor
    W_dec_FD: Tensor


class Codes(Protocol):
    """The positive activations of a batch, the others being zero."""

    def decode(self, W_dec_FD: Tensor) -> Tensor:
        """The sum of each token's active decoder rows, weighted, (B, D): acts @ W_dec."""

    def gradients(self, output_gradient_BD: Tensor, centred_BD: Tensor, W_dec_FD: Tensor) -> CodeGradients:
        """Backward through `decode`, the selection (whose choice is constant), the ReLU and the encoder.

        output_gradient_BD: of the loss by what `decode` gave; centred_BD: the encoder's input, x - b_dec.
        """

    def smallest_of_tokens(self) -> Tensor:
        """Each token's smallest active value, (B); infinity where it has none."""

    def smallest_of_latents(self) -> Tensor:
        """Each latent's smallest active value, (F); infinity where it has none."""

    def active(self) -> Tensor:
        """How many activations there are; 0-dimensional."""


def mean_of_tokens_smallest(codes: Codes) -> Tensor:
    """The mean over tokens of their smallest active value, of those that have one; NaN where nothing is active."""
    smallest_B = codes.smallest_of_tokens()
    return smallest_B.masked_fill(smallest_B.isinf(), torch.nan).nanmean()
