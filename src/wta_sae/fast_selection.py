"""The training rules of `wta_sae.selection` as training uses them: pre-activations in, active pairs out, fast on a CPU.

Shape suffixes: B tokens of a batch, F latents, P pairs; R rows and M columns of the layout that a rule reads.

On a CPU torch.topk and dense outputs cost several times the encoder's matrix product. Here numpy's quickselect finds the
cut and nothing else, and one comparison finds the pairs, by blocks of rows that stay in the processor's cache.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from wta_sae.active_pairs import ActivePairs, order_by

BLOCK_ELEMENTS = 2**18  # 1 MB of float32
GROUPS_A_WINNER = 4  # fewer let more candidates pass, more give more maxima to sort


def pre_activation_buffer(rule: str, tokens: int, latents: int, device: torch.device) -> Tensor:
    """An uninitialised (B, F) tensor in the layout that a selection by this rule reads fastest."""
    if rule == "winners_take_all":
        return torch.empty(latents, tokens, device=device).T
    return torch.empty(tokens, latents, device=device)


def select_pairs(rule: str, pre_BF: Tensor, k: int) -> ActivePairs:
    """The active pairs of ReLU(pre_BF) under the function of `wta_sae.selection` that `rule` names, in its terms of k.

    Exactly the pairs that the function keeps. Where ties at the cut leave it a choice, the first in order of token and
    latent.
    """
    match rule:
        case "top_k":
            return _top_k(pre_BF, k)
        case "batch_top_k":
            return _batch_top_k(pre_BF, k)
        case "winners_take_all":
            return _winners_take_all(pre_BF, k)
    raise ValueError(f"no training rule {rule!r}")


def _top_k(pre_BF: Tensor, k: int) -> ActivePairs:
    pre_RM = pre_BF.contiguous().numpy()
    positions_P = _positions(pre_RM, lambda rows: _kth_largest(rows, k)[:, None])
    tokens_P, latents_P = np.divmod(positions_P, pre_RM.shape[1])
    values_P = pre_RM.reshape(-1)[positions_P]
    counts_B = np.bincount(tokens_P, minlength=len(pre_RM))
    kept_P = np.ones(len(positions_P), dtype=bool)
    for end in counts_B.cumsum()[counts_B > k]:  # tokens with ties at their cut
        of_token = slice(end - counts_B[tokens_P[end - 1]], end)
        kept_P[of_token] = _largest(values_P[of_token], k)
    return _pairs(tokens_P, latents_P, values_P, kept_P, pre_BF.shape)


def _batch_top_k(pre_BF: Tensor, k: int) -> ActivePairs:
    tokens, latents = pre_BF.shape
    pre_RM = pre_BF.contiguous().numpy()
    # As many maxima of disjoint groups as there are winners are above the bound, so no winner is below it.
    groups = min(GROUPS_A_WINNER * k, latents)
    size = latents // groups
    maxima = pre_BF[:, : size * groups].unflatten(1, (size, groups)).amax(1)
    bound = _kth_largest(maxima.flatten().numpy(), k * tokens)
    positions_P = _positions(pre_RM, lambda rows: bound)
    values_P = pre_RM.reshape(-1)[positions_P]
    return _pairs(*np.divmod(positions_P, latents), values_P, _largest(values_P, k * tokens), pre_BF.shape)


def _winners_take_all(pre_BF: Tensor, winners: int) -> ActivePairs:
    pre_RM = pre_BF.T.contiguous().numpy()
    positions_P = _positions(pre_RM, lambda rows: _kth_largest(rows, winners)[:, None])
    latents_P, tokens_P = np.divmod(positions_P, pre_RM.shape[1])
    values_P = pre_RM.reshape(-1)[positions_P]
    by_token_P = order_by(torch.from_numpy(tokens_P), len(pre_BF)).numpy()
    return _pairs(tokens_P, latents_P, values_P, by_token_P, pre_BF.shape)


def _positions(pre_RM: np.ndarray, cut: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Flat positions, ascending, of all that is positive and not below the cut of its block of rows."""
    rows, columns = pre_RM.shape
    step = max(1, BLOCK_ELEMENTS // columns)
    found = []
    for start in range(0, rows, step):
        block = pre_RM[start : start + step]
        just_below = np.nextafter(cut(block), pre_RM.dtype.type(-np.inf))
        found.append(np.flatnonzero(block > np.maximum(just_below, 0)) + start * columns)
    return np.concatenate(found)


def _kth_largest(values: np.ndarray, k: int) -> np.ndarray:
    """Along the last axis; numpy's partition is vectorised where torch's top-k and kthvalue are not."""
    index = values.shape[-1] - k
    return np.partition(values, index, axis=-1)[..., index]


def _largest(values_P: np.ndarray, count: int) -> np.ndarray:
    """Marks the `count` largest values, all where there are no more; of ties at the cut, the first."""
    if len(values_P) <= count:
        return np.ones(len(values_P), dtype=bool)
    cut = _kth_largest(values_P, count)
    marked_P = values_P > cut
    marked_P[np.flatnonzero(values_P == cut)[: count - marked_P.sum()]] = True
    return marked_P


def _pairs(
    tokens_P: np.ndarray, latents_P: np.ndarray, values_P: np.ndarray, chosen: np.ndarray, shape: tuple[int, int]
) -> ActivePairs:
    return ActivePairs(*(torch.from_numpy(part[chosen]) for part in (tokens_P, latents_P, values_P)), shape=tuple(shape))
