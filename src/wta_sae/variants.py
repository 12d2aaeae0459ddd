"""The SAE variants. Free of torch: the Snakefile reads them too."""

from collections.abc import Iterable
from dataclasses import dataclass

from wta_sae.errors import UserError


@dataclass(frozen=True)
class Variant:
    """What sets one SAE variant apart from another.

    selection: the function of `wta_sae.selection` that picks the active pairs of a training batch.
    budget: `k` (active latents a token) or `rates` (the share of a batch's tokens that each latent wins).
    inference: the rules by which a trained SAE is read out (see `wta_sae.sae.SAE`), the first its own.
    threshold: what the global threshold averages over batches: the `batch minimum` of the selected activations, or the
        `token mean` of each token's smallest.
    auxiliary_loss: whether dead latents are revived by an auxiliary loss.
    """

    selection: str
    budget: str
    inference: tuple[str, ...]
    threshold: str
    auxiliary_loss: bool


VARIANTS = {
    "topk": Variant("top_k", "k", ("topk",), "token mean", auxiliary_loss=True),
    "batch_topk": Variant("batch_top_k", "k", ("threshold",), "batch minimum", auxiliary_loss=True),
    "wta": Variant("winners_take_all", "rates", ("described", "released", "per_latent"), "batch minimum", auxiliary_loss=False),
}


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


def variant_named(name: str) -> Variant:
    if name not in VARIANTS:
        raise UserError(f"saes: unknown variant {name!r}; use one of: {', '.join(VARIANTS)}")
    return VARIANTS[name]


def l0_budget(variant: str, k: int, latents: int, batch_tokens: int) -> float:
    """Active latents a token that training allows at most: k, or winners * F / B."""
    return float(k) if variant_named(variant).budget == "k" else k * latents / batch_tokens
