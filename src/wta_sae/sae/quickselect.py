"""The largest values on a CPU, where torch.topk takes as long as the encoder's matrix product or longer.

Numpy's quickselect finds a cut and nothing else, and one comparison finds what is above it, by blocks of rows that stay in the
processor's cache. Where few of many are wanted, the maxima of groups bound the cut first.

Shape suffixes: P values; R rows and M columns; G groups of columns; C candidates of a row.
"""

import math
from collections.abc import Callable

import numpy as np
import torch

BLOCK_ELEMENTS = 2**18  # 1 MB of float32
GROUPS_A_WINNER, FEWEST_GROUPS = 4, 64  # fewer let more candidates pass, more give more maxima to sort


def kth_largest(values: np.ndarray, k: int) -> np.ndarray:
    """Along the last axis."""
    index = values.shape[-1] - k
    return np.partition(values, index, axis=-1)[..., index]


def mark_largest(values_P: np.ndarray, count: int) -> np.ndarray:
    """Marks the `count` largest values, all where there are no more; of ties at the cut, the first."""
    if len(values_P) <= count:
        return np.ones(len(values_P), dtype=bool)
    cut = kth_largest(values_P, count)
    marked_P = values_P > cut
    marked_P[np.flatnonzero(values_P == cut)[: count - marked_P.sum()]] = True
    return marked_P


def positions_from(values_RM: np.ndarray, cut: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Flat positions, ascending, of all that is positive and not below the cut of its block of rows. NaN is below nothing."""
    rows, columns = values_RM.shape
    smallest = np.finfo(values_RM.dtype).smallest_subnormal
    step = max(1, BLOCK_ELEMENTS // columns)
    found = [np.empty(0, dtype=np.int64)]
    for start in range(0, rows, step):
        block = values_RM[start : start + step]
        below = block < np.maximum(cut(block), smallest)
        found.append(np.flatnonzero(np.logical_not(below, out=below)) + start * columns)
    return np.concatenate(found)


def group_maxima(values_RM: np.ndarray, k: int) -> np.ndarray:
    """Maxima of disjoint groups of each row's columns, (R, G).

    The k largest of them are k values of the row, so none of the row's k largest is below the least of these.
    """
    columns = values_RM.shape[1]
    groups = min(max(GROUPS_A_WINNER * k, FEWEST_GROUPS), columns)
    size = columns // groups
    return torch.from_numpy(values_RM)[:, : size * groups].unflatten(1, (size, groups)).amax(1).numpy()


def positions_of_largest_in_all(values_RM: np.ndarray, count: int) -> np.ndarray:
    """Flat positions, ascending, of the largest of all rows together where they are positive; of ties at the cut the first."""
    # As many maxima of disjoint groups as are wanted are not below the bound, so none that is wanted is below it.
    bound = kth_largest(group_maxima(values_RM, math.ceil(count / len(values_RM))).reshape(-1), count)
    positions_P = positions_from(values_RM, lambda rows: bound)
    return positions_P[mark_largest(values_RM.reshape(-1)[positions_P], count)]


def positions_of_largest(values_RM: np.ndarray, k: int, all_ties: bool = False) -> np.ndarray:
    """Flat positions, ascending, of each row's k largest where they are positive.

    Of ties at the cut the first, or all of them. NaN counts as the largest.
    """
    columns = values_RM.shape[1]
    positions_P = positions_from(values_RM, lambda block: kth_largest(group_maxima(block, k), k)[:, None])
    rows_P, values_P = positions_P // columns, values_RM.reshape(-1)[positions_P]
    counts_R = np.bincount(rows_P, minlength=len(values_RM))
    starts_R = counts_R.cumsum() - counts_R
    candidates_RC = np.full((len(values_RM), counts_R.max(initial=k)), -np.inf, dtype=values_RM.dtype)
    candidates_RC[rows_P, np.arange(len(rows_P)) - starts_R[rows_P]] = values_P
    kept_P = ~(values_P < kth_largest(candidates_RC, k)[rows_P])
    if not all_ties:
        kept_R = np.bincount(rows_P[kept_P], minlength=len(values_RM))
        for row in np.flatnonzero(kept_R > k):
            of_row = slice(starts_R[row], starts_R[row] + counts_R[row])
            kept_P[of_row] = mark_largest(values_P[of_row], k)
    return positions_P[kept_P]
