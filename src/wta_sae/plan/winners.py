"""How many winners a nominal sparsity rate gives a latent: in training, and by the inference rule `released`."""

from collections.abc import Iterable


def winners_per_latent(rate: float, tokens: int) -> int:
    """max(1, floor(tokens * rate)): the winners of each latent among `tokens` tokens (paper section 3.1, step 1)."""
    return max(1, int(tokens * rate))


def batch_sizes(count: int, batch: int) -> set[int]:
    """The sizes of the batches that `count` sequences are split into."""
    return {size for size in (min(count, batch), count % batch) if size}


def rates_of_equal_winners(rates: Iterable[float], sizes: Iterable[int]) -> list[tuple[float, ...]]:
    """The rates in rising order, those together that give the same winners in batches of each of these sizes."""
    sizes = sorted(sizes)
    groups: dict[tuple[int, ...], list[float]] = {}
    for rate in sorted(rates):
        groups.setdefault(tuple(winners_per_latent(rate, size) for size in sizes), []).append(rate)
    return [tuple(group) for group in groups.values()]
