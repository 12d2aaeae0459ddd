"""What one latent fires on: windows around its strongest activations, and around samples of the weaker ones.

Shape suffixes: C contexts, L positions, F latents, E places of a latent, W positions of a window, V vocabulary.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Window(NamedTuple):
    """Some neighbouring tokens of a context, a latent's activation on each, and which of them it is about, from 0."""

    tokens: list[int]
    acts: list[float]
    position: int


def spread_over_densities(density_F: Tensor, count: int) -> list[int]:
    """So many of the latents that fire at all, evenly over the ranks of their densities; all of them where there are no more.

    Ascending by their numbers.
    """
    firing = density_F.argsort(stable=True)[int((density_F <= 0).sum()) :]
    if len(firing) > count:
        firing = firing[torch.linspace(0, len(firing) - 1, count).round().long()]
    return sorted(firing.tolist())


def strongest(acts_CL: Tensor, count: int) -> Tensor:
    """The places (E, 2: context, position) of a latent's largest activations, the largest first; of each context one."""
    peak_C, position_C = acts_CL.max(1)
    best = peak_C.argsort(descending=True, stable=True)[:count]
    best = best[peak_C[best] > 0]
    return torch.stack([best, position_C[best]], 1)


def over_quantiles(acts_CL: Tensor, parts: int, each: int) -> list[Tensor]:
    """Places of a latent's activations from equal parts of their ranks, the strongest part first: `each` of every part.

    They lie evenly over the ranks, so that nothing is drawn; where it fires less often, all. A part without any is left out.
    """
    places_E2 = acts_CL.nonzero()
    order = acts_CL[places_E2.unbind(1)].argsort(descending=True, stable=True)
    wanted = parts * each
    if len(order) > wanted:
        order = order[((torch.arange(wanted) + 0.5) * len(order) / wanted).long()]
    return [places_E2[part] for part in order.tensor_split(parts) if len(part)]


def windows(tokens_CL: Tensor, acts_CL: Tensor, places_E2: Tensor, width: int) -> list[Window]:
    """The windows around these places: `width` tokens, or the whole context where it is shorter.

    Three quarters of a window stand before its place, for that is what a causal model reads there.
    """
    length = tokens_CL.shape[1]
    width = min(width, length)
    found = []
    for context, position in places_E2.tolist():
        start = min(max(position - width * 3 // 4, 0), length - width)
        there = (context, slice(start, start + width))
        found.append(Window(tokens_CL[there].tolist(), acts_CL[there].tolist(), position - start))
    return found


def favourite_tokens(tokens_CL: Tensor, acts_CL: Tensor, count: int) -> list[int]:
    """The tokens on which the latent's squared activations sum to most, the most first; only such on which it fires.

    Squared, for a latent that fires weakly on much would be called by the commonest tokens.
    """
    fires_CL = acts_CL > 0
    token_V, place = tokens_CL[fires_CL].unique(return_inverse=True)
    summed_V = torch.zeros(len(token_V), dtype=torch.float64).index_add_(0, place, acts_CL[fires_CL].double().square())
    return token_V[summed_V.argsort(descending=True, stable=True)[:count]].tolist()
