"""Inference thresholds at which an SAE reaches a wanted L0: what makes SAEs of unlike rules comparable at equal cost.

Shape suffixes: N tokens of a batch, D model width, F latents, A activations that are kept.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.base.given import given
from wta_sae.sae.sae import SAE, encode_with_each

TOLERANCE = 0.01  # of the wanted L0


def at_equal_l0(
    sae: SAE, l0: int, batches: Callable[[], Iterable[Tensor]], tokens: int
) -> tuple[dict[str, SAE], dict[str, float]]:
    """An SAE under the three rules of the comparison at equal L0, and the L0 that each reaches on these tokens.

    sae: read out by each latent's own threshold. batches: of activations (N, D), `tokens` of them in all, each time they are
    asked for. `matched_topk`: each token's l0 largest; `matched_threshold`: one cut for all latents; `matched_per_latent`: the
    latents' own thresholds, all raised or lowered by one factor. Where too few activations are positive the L0 reached is
    lower, which `check_reached` refuses. Raises UserError as `thresholds_at_l0`.
    """
    own = given(sae.threshold, "the SAE's threshold")
    shapes = {"matched_threshold": torch.ones((), device=own.device), "matched_per_latent": own}
    thresholds = thresholds_at_l0(sae, l0, shapes, batches(), tokens)
    rules = {rule: replace(sae, inference=rule, threshold=threshold) for rule, threshold in thresholds.items()}
    rules["matched_topk"] = replace(sae, inference="matched_topk", k=l0, threshold=None)
    return rules, reached_l0(rules, batches())


@torch.no_grad()
def thresholds_at_l0(
    sae: SAE, l0: float, shapes: Mapping[str, Tensor], batches: Iterable[Tensor], tokens: int
) -> dict[str, Tensor]:
    """Each shape times the factor at which `l0` latents a token lie above it; exact on these tokens.

    shapes: name -> thresholds known up to a factor: a positive scalar for one cut, or (F) for a cut a latent, infinite where
    a latent is to stay silent. Where fewer activations than asked for are positive, the factor is 0: all of them are kept.
    batches: of activations (N, D), `tokens` of them in all. Memory: the l0 * tokens largest activations, and one batch. Raises
    UserError for an l0 outside (0, latents].
    """
    if not 0 < l0 <= len(sae.W_dec_FD):
        raise UserError(f"l0: {l0} is not between 0 and the SAE's {len(sae.W_dec_FD)} latents")
    wanted = round(l0 * tokens)
    largest = {name: torch.zeros(0, device=sae.b_dec_D.device) for name in shapes}
    for x_ND in batches:
        pre_NF = sae.pre_activations(x_ND)
        for name, shape in shapes.items():
            largest[name] = _largest(torch.cat([largest[name], (pre_NF / shape).flatten()]), wanted + 1)
    factors = {name: _cut(largest[name], wanted) for name in shapes}
    return {name: torch.where(shape.isinf(), shape, shape * factors[name]) for name, shape in shapes.items()}


@torch.no_grad()
def reached_l0(saes: Mapping[str, SAE], batches: Iterable[Tensor]) -> dict[str, float]:
    """Active latents a token of each SAE. batches: of activations (N, D)."""
    active, tokens = dict.fromkeys(saes, 0), 0
    for x_ND in batches:
        tokens += len(x_ND)
        for label, acts_NF in encode_with_each(saes, x_ND):
            active[label] += int(acts_NF.count_nonzero())
    return {label: count / tokens for label, count in active.items()}


def check_reached(l0: float, reached: Mapping[str, float]) -> None:
    """Raises UserError where a rule's L0 on the calibration tokens is not what was asked for, within TOLERANCE."""
    for rule, found in reached.items():
        if abs(found - l0) > TOLERANCE * l0:
            raise UserError(
                f"l0: {l0:g} cannot be reached by {rule}, which comes to {found:.3f} on the calibration tokens; ask for one "
                "that the SAE's positive activations allow"
            )


def _largest(values_A: Tensor, count: int) -> Tensor:
    values_A = values_A[values_A > 0]
    return values_A if len(values_A) <= count else values_A.topk(count, sorted=False).values


def _cut(largest_A: Tensor, wanted: int) -> Tensor:
    """Between the last value that is kept and the first that is not."""
    if len(largest_A) <= wanted:
        return largest_A.new_zeros(())
    return largest_A.topk(2, largest=False).values.mean()
