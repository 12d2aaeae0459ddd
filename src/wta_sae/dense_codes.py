"""Codes as one dense tensor, and the training rules that give it: what a GPU trains on.

Shape suffixes: B tokens of a batch, D model width, F latents; R rows and M columns of the layout that a rule reads, cut into
G groups of S neighbours, of which the K with the largest maxima hold a row's K largest values.

A GPU multiplies dense matrices faster than it finds active pairs. Nothing here waits for the device: shapes follow from
shapes alone, and no value is read on the host, so that the kernels of a step queue up behind each other.
"""

import math

import torch
from torch import Tensor

from wta_sae.codes import CodeGradients
from wta_sae.devices import product_dtype


class DenseCodes:
    """A form of `wta_sae.codes.Codes`. acts_BF: the activations after their selection; none is negative.

    The matrix products take their factors in the device's `product_dtype`; all else keeps the dtype of `acts_BF`.
    """

    def __init__(self, acts_BF: Tensor):
        self.silent_BF = acts_BF == 0
        self.factor_BF = acts_BF.to(product_dtype(acts_BF))
        # Not masked_fill, which reads and writes once more; nor a number in place of the tensor, which the GPU would wait for.
        self.floor_BF = torch.where(self.silent_BF, acts_BF.new_full((), torch.inf), acts_BF)

    def decode(self, W_dec_FD: Tensor) -> Tensor:
        return (self.factor_BF @ W_dec_FD.to(self.factor_BF.dtype)).to(W_dec_FD.dtype)

    def gradients(self, output_gradient_BD: Tensor, centred_BD: Tensor, W_dec_FD: Tensor) -> CodeGradients:
        dtype = self.factor_BF.dtype
        output_gradient_BD = output_gradient_BD.to(dtype)
        # In the layout of the activations, which is not the same for every rule.
        pre_gradient_BF = torch.empty_like(self.factor_BF)
        torch.mm(output_gradient_BD, W_dec_FD.to(dtype).T, out=pre_gradient_BF).masked_fill_(self.silent_BF, 0)
        return CodeGradients(
            W_enc_FD=(pre_gradient_BF.T @ centred_BD.to(dtype)).to(W_dec_FD.dtype),
            b_enc_F=pre_gradient_BF.sum(0, dtype=W_dec_FD.dtype),
            W_dec_FD=(self.factor_BF.T @ output_gradient_BD).to(W_dec_FD.dtype),
        )

    def smallest_of_tokens(self) -> Tensor:
        return self.floor_BF.amin(1)

    def smallest_of_latents(self) -> Tensor:
        return self.floor_BF.amin(0)

    def active(self) -> Tensor:
        return self.silent_BF.numel() - self.silent_BF.sum()


def select_dense(rule: str, pre_BF: Tensor, k: int) -> DenseCodes:
    """The codes of ReLU(pre_BF) under the function of `wta_sae.selection` that `rule` names, in its terms of k.

    Exactly what the function keeps. Where ties at the cut leave it a choice, the first in order of token and latent.
    """
    match rule:
        case "top_k":
            return DenseCodes(_keep_largest(pre_BF.contiguous(), k))
        case "batch_top_k":
            return DenseCodes(_keep_largest(pre_BF.reshape(1, -1), k * len(pre_BF)).view_as(pre_BF))
        case "winners_take_all":
            return DenseCodes(_keep_down_to_kth(pre_BF.T.contiguous(), k).T)
    raise ValueError(f"no training rule {rule!r}")


def _keep_largest(pre_RM: Tensor, k: int) -> Tensor:
    """The k largest of each row where they are positive, of ties at the cut the first; zero elsewhere."""
    positions_N, candidates_NS = _candidates(pre_RM, k)
    kept_RM = _first_largest(candidates_NS.view(len(pre_RM), -1), k)
    kept_NS = kept_RM.view_as(candidates_NS) & (candidates_NS > 0)
    acts_RM = torch.zeros_like(pre_RM)
    acts_RM.view(-1, candidates_NS.shape[1]).index_copy_(0, positions_N, candidates_NS * kept_NS)
    return acts_RM


def _keep_down_to_kth(pre_RM: Tensor, k: int) -> Tensor:
    """All of each row that is positive and not below its k-th largest; zero elsewhere."""
    _, candidates_NS = _candidates(pre_RM, k)
    smallest_positive = torch.finfo(pre_RM.dtype).smallest_normal * torch.finfo(pre_RM.dtype).eps
    cut_R1 = _kth_largest(candidates_NS.view(len(pre_RM), -1), k).clamp(min=smallest_positive)
    return pre_RM * (pre_RM >= cut_R1)


def _candidates(pre_RM: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The groups that hold each row's k largest values: their positions among all, (R * K), and their values, (R * K, S).

    No value outside the k groups with the largest maxima can be among the k largest, for each of the k groups holds one
    that is larger. torch.topk then reads M / S maxima and k * S candidates in place of M values.
    """
    rows, columns = pre_RM.shape
    groups_RGS = pre_RM.unflatten(1, (-1, group_size(columns, k)))
    groups = groups_RGS.shape[1]
    order_RG = _first_largest(groups_RGS.amax(2), k).cumsum(1, dtype=torch.int32)
    ranks_RK = torch.arange(1, k + 1, dtype=torch.int32, device=pre_RM.device).repeat(rows, 1)
    # The clamp matters for NaN alone, where fewer than k are found: the loss is to say that training diverged.
    chosen_RK = torch.searchsorted(order_RG, ranks_RK).clamp(max=groups - 1)
    first_R1 = torch.arange(rows, device=pre_RM.device)[:, None] * groups
    positions_N = (first_R1 + chosen_RK).flatten()
    return positions_N, groups_RGS.flatten(0, 1).index_select(0, positions_N)


def group_size(columns: int, k: int) -> int:
    """The power of two that leaves least to read, near sqrt(columns / k), as far as it divides the columns."""
    return math.gcd(columns, 2 ** round(math.log2(columns / k) / 2))


def _first_largest(values_RM: Tensor, k: int) -> Tensor:
    """Marks the k largest of each row; of ties at the cut, the first."""
    cut_R1 = _kth_largest(values_RM, k)
    above_RM = values_RM > cut_R1
    tied_RM = values_RM == cut_R1
    room_R1 = k - above_RM.sum(1, keepdim=True)
    return above_RM | (tied_RM & (tied_RM.cumsum(1, dtype=torch.int32) <= room_R1))


def _kth_largest(values_RM: Tensor, k: int) -> Tensor:
    return values_RM.topk(k, dim=1, sorted=False).values.amin(1, keepdim=True)
