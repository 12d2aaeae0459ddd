"""How a CPU finds winners fast: pre-activations in, active pairs out.

Shape suffixes: B tokens of a batch, F latents, P pairs; R rows and M columns of the layout that a rule reads.

On a CPU torch.topk and dense outputs cost several times the encoder's matrix product. Here numpy's quickselect finds the
cut and nothing else, and one comparison finds the pairs, by blocks of rows that stay in the processor's cache.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs

BLOCK_ELEMENTS = 2**18  # 1 MB of float32


def top_k_pairs(pre_BF: Tensor, k: int) -> ActivePairs:
    """Each token's k largest that are positive, as active pairs; of ties at the cut, the first."""
    pre_RM = pre_BF.contiguous().numpy()
    positions_P = candidate_positions(pre_RM, lambda rows: kth_largest(rows, k)[:, None])
    tokens_P, latents_P = np.divmod(positions_P, pre_RM.shape[1])
    values_P = pre_RM.reshape(-1)[positions_P]
    counts_B = np.bincount(tokens_P, minlength=len(pre_RM))
    kept_P = np.ones(len(positions_P), dtype=bool)
    for end in counts_B.cumsum()[counts_B > k]:  # tokens with ties at their cut
        of_token = slice(end - counts_B[tokens_P[end - 1]], end)
        kept_P[of_token] = mark_largest(values_P[of_token], k)
    return chosen_pairs(tokens_P, latents_P, values_P, kept_P, pre_BF.shape)


def candidate_positions(pre_RM: np.ndarray, cut: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Flat candidate_positions, ascending, of all that is positive and not below the cut of its block of rows."""
    rows, columns = pre_RM.shape
    step = max(1, BLOCK_ELEMENTS // columns)
    found = []
    for start in range(0, rows, step):
        block = pre_RM[start : start + step]
        just_below = np.nextafter(cut(block), pre_RM.dtype.type(-np.inf))
        found.append(np.flatnonzero(block > np.maximum(just_below, 0)) + start * columns)
    return np.concatenate(found)


def kth_largest(values: np.ndarray, k: int) -> np.ndarray:
    """Along the last axis; numpy's partition is vectorised where torch's top-k and kthvalue are not."""
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


def chosen_pairs(
    tokens_P: np.ndarray, latents_P: np.ndarray, values_P: np.ndarray, chosen: np.ndarray, shape: tuple[int, ...]
) -> ActivePairs:
    """Of these pairs, those that are chosen: by a mask, or by their places in a wanted order."""
    tokens, latents, values = (torch.from_numpy(part[chosen]) for part in (tokens_P, latents_P, values_P))
    return ActivePairs(tokens, latents, values, tuple(shape))
