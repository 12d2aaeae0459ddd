"""Codes as one dense tensor: what a GPU trains on.

Shape suffixes: B tokens of a batch, D model width, F latents.

A GPU multiplies dense matrices faster than it finds active pairs. Nothing here waits for the device: shapes follow from
shapes alone, and no value is read on the host, so that the kernels of a step queue up behind each other.
"""

import torch
from torch import Tensor

from wta_sae.codes.codes import CodeGradients
from wta_sae.machine.devices import product_dtype


class DenseCodes:
    """A form of `wta_sae.codes.codes.Codes`. acts_BF: the activations after their selection; none is negative.

    The matrix products take their factors in the device's `product_dtype`; all else keeps the dtype of `acts_BF`.
    """

    def __init__(self, acts_BF: Tensor):
        self.silent_BF = acts_BF == 0
        self.acts_BF = acts_BF.to(product_dtype(acts_BF))
        # Not masked_fill, which reads and writes once more; nor a number in place of the tensor, which the GPU would wait for.
        self.floor_BF = torch.where(self.silent_BF, acts_BF.new_full((), torch.inf), acts_BF)

    def decode(self, W_dec_FD: Tensor) -> Tensor:
        return (self.acts_BF @ W_dec_FD.to(self.acts_BF.dtype)).to(W_dec_FD.dtype)

    def gradients(self, output_gradient_BD: Tensor, centred_BD: Tensor, W_dec_FD: Tensor) -> CodeGradients:
        dtype = self.acts_BF.dtype
        output_gradient_BD = output_gradient_BD.to(dtype)
        # In the layout of the activations, which is not the same for every rule.
        pre_gradient_BF = torch.empty_like(self.acts_BF)
        torch.mm(output_gradient_BD, W_dec_FD.to(dtype).T, out=pre_gradient_BF).masked_fill_(self.silent_BF, 0)
        return CodeGradients(
            W_enc_FD=(pre_gradient_BF.T @ centred_BD.to(dtype)).to(W_dec_FD.dtype),
            b_enc_F=pre_gradient_BF.sum(0, dtype=W_dec_FD.dtype),
            W_dec_FD=(self.acts_BF.T @ output_gradient_BD).to(W_dec_FD.dtype),
        )

    def smallest_of_tokens(self) -> Tensor:
        return self.floor_BF.amin(1)

    def smallest_of_latents(self) -> Tensor:
        return self.floor_BF.amin(0)

    def active(self) -> Tensor:
        return self.silent_BF.numel() - self.silent_BF.sum()
