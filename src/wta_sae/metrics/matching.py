"""Which directions of one set are which of another.

Shape suffixes: D width, F and G directions of the two sets, M matched pairs.
"""

from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import normalize


class Matching(NamedTuple):
    """One-to-one pairs of two sets' directions, by their places in each, and the absolute cosine of each pair."""

    first_M: Tensor
    second_M: Tensor
    cosine_M: Tensor


def match_directions(first_FD: Tensor, second_GD: Tensor) -> Matching:
    """The pairs with the largest sum of absolute cosines (the Hungarian method); as many as the fewer of both are."""
    cosine_FG = absolute_cosines(first_FD, second_GD)
    first_M, second_M = map(torch.from_numpy, linear_sum_assignment(cosine_FG.numpy(), maximize=True))
    return Matching(first_M, second_M, cosine_FG[first_M, second_M])


def absolute_cosines(first_FD: Tensor, second_GD: Tensor) -> Tensor:
    """Of each direction of the one set with each of the other, (F, G)."""
    return (normalize(first_FD, dim=1) @ normalize(second_GD, dim=1).T).abs()
