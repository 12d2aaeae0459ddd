"""How a GPU finds winners fast: pre-activations in, dense activations out, without waiting for the device.

Shape suffixes: B tokens of a batch, F latents; R rows and M columns of the layout that a rule reads, cut into G groups of S
neighbours, of which the K with the largest maxima hold a row's K largest values.
"""

import math

import torch
from torch import Tensor

from wta_sae.codes.dense_codes import DenseCodes


def top_k_dense(pre_BF: Tensor, k: int) -> DenseCodes:
    """Each token's k largest that are positive, as dense codes; of ties at the cut, the first."""
    return DenseCodes(keep_largest(pre_BF.contiguous(), k))


def keep_largest(pre_RM: Tensor, k: int) -> Tensor:
    """The k largest of each row where they are positive, of ties at the cut the first; zero elsewhere."""
    positions_N, candidates_NS = _candidates(pre_RM, k)
    kept_RM = _first_largest(candidates_NS.view(len(pre_RM), -1), k)
    kept_NS = kept_RM.view_as(candidates_NS) & (candidates_NS > 0)
    acts_RM = torch.zeros_like(pre_RM)
    acts_RM.view(-1, candidates_NS.shape[1]).index_copy_(0, positions_N, candidates_NS * kept_NS)
    return acts_RM


def keep_down_to_kth(pre_RM: Tensor, k: int) -> Tensor:
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
