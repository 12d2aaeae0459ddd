"""The SAE variants, and what a config's `saes` section asks for. Free of torch: the Snakefile reads it too."""

from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class SAESpec:
    """One SAE to train. k: active latents a token, or winners a latent and batch where the variant's budget is `rates`."""

    name: str
    variant: str
    k: int
    rates: tuple[float, ...] = ()


def winners_per_latent(rate: float, tokens: int) -> int:
    """max(1, floor(tokens * rate)): the winners of each latent among `tokens` tokens (paper section 3.1, step 1)."""
    return max(1, int(tokens * rate))


def variant_named(name: str) -> Variant:
    if name not in VARIANTS:
        raise UserError(f"saes: unknown variant {name!r}; use one of: {', '.join(VARIANTS)}")
    return VARIANTS[name]


def requested_saes(saes: dict[str, dict[str, Any]], latents: int, batch_tokens: int) -> list[SAESpec]:
    """The SAEs that a config's `saes` section asks for; rates that give a latent the same winners share one.

    Raises UserError for an unknown variant, a k above the number of latents, a rate outside (0, 1], a missing budget.
    """
    specs = []
    for name, options in saes.items():
        budget = variant_named(name).budget
        if set(options) != {budget}:
            raise UserError(f"saes.{name}: wants the key {budget!r} and no other, but has: {', '.join(options) or 'none'}")
        if budget == "k":
            k = options["k"]
            if not 1 <= k <= latents:
                raise UserError(f"saes.{name}.k: {k} is not between 1 and training.latents ({latents})")
            specs.append(SAESpec(f"{name}-k{k}", name, k))
            continue
        rates_by_winners: dict[int, list[float]] = {}
        for rate in sorted(options["rates"]):
            if not 0 < rate <= 1:
                raise UserError(f"saes.{name}.rates: {rate} is not in (0, 1]")
            rates_by_winners.setdefault(winners_per_latent(rate, batch_tokens), []).append(rate)
        specs += [SAESpec(f"{name}-k{k}", name, k, tuple(rates)) for k, rates in rates_by_winners.items()]
    return specs


def l0_budget(variant: str, k: int, latents: int, batch_tokens: int) -> float:
    """Active latents a token that training allows at most: k, or winners * F / B."""
    return float(k) if variant_named(variant).budget == "k" else k * latents / batch_tokens


def sae_at_rate(specs: list[SAESpec], rate: float) -> SAESpec:
    """The SAE trained for a nominal rate. Raises UserError where no SAE was asked for at that rate."""
    for spec in specs:
        if rate in spec.rates:
            return spec
    rates = sorted(rate for spec in specs for rate in spec.rates)
    raise UserError(f"paper.table1_rate: {rate} is not among the rates in saes: {', '.join(f'{r:g}' for r in rates)}")
