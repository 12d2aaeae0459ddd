"""Texts -> one vector a text: the mean residual stream and the mean SAE codes over the text's tokens.

Shape suffixes: N texts, S texts of a batch, L positions, D model width, F latents.

Source: SAEBench 0.6.0 `create_meaned_model_activations`, `get_sae_meaned_activations`. Its masked
positions (pad, bos, eos) are set to x = 0 and still encoded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter

import torch
from torch import Tensor

from wta_sae.activations.text_cache import TextResiduals
from wta_sae.base.errors import UserError
from wta_sae.base.given import given
from wta_sae.base.progress import progress_bar
from wta_sae.metrics.slices import rows_at_once
from wta_sae.plan.winners import winners_per_latent
from wta_sae.sae.sae import SAE, encode_with_each

BATCH_TEXTS = 125  # SAEBench's sae_batch_size, on which the inference rule `released` depends


@dataclass(frozen=True)
class Pooled:
    """The pooled texts of several groups (classes, or the sets of SCR), one group after the other.

    sizes: group -> number of texts, in the order of the rows.
    residual_ND: sum over the valid positions of x / valid positions.
    codes: SAE label -> (N, F): sum over the valid positions of z / valid positions; what probes read.
    leaky_codes: the same with the sum over ALL positions, masked ones (x = 0) included; what SAEBench's ablation removes.
    """

    sizes: dict[str, int]
    residual_ND: Tensor
    codes: dict[str, Tensor]
    leaky_codes: dict[str, Tensor]

    def rows(self, group: str) -> Tensor:
        """The row numbers of a group's texts, on the CPU."""
        names = list(self.sizes)
        start = sum(self.sizes[name] for name in names[: names.index(group)])
        return torch.arange(start, start + self.sizes[group])


@torch.no_grad()
def pool_texts(
    residuals: TextResiduals, saes: Mapping[str, SAE], groups: Mapping[str, Sequence[int]], batch_texts: int = BATCH_TEXTS
) -> Pooled:
    """Pools every group's texts for all SAEs in one pass. groups: the numbers of each group's texts.

    The results are those of SAEBench's batches: `batch_texts` texts of one group, the last batch of a group shorter. A text's
    codes depend on the others of its batch only through the winners that the rule `released` makes of their number, so a
    text that stands in several batches with the same winners is read once. Results lie on the residuals' device. Without an
    SAE there are no codes. Raises UserError for codes that are not finite.
    """
    batches = [rows[start : start + batch_texts] for rows in groups.values() for start in range(0, len(rows), batch_texts)]
    keys = [(row, released_winners(saes, len(batch))) for batch in batches for row in batch]
    distinct = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    row_N = torch.tensor([distinct[key] for key in keys], device=residuals.device)
    residual_ND = torch.empty(len(distinct), residuals.width, device=residuals.device)
    codes = {label: torch.empty(len(distinct), len(sae.W_dec_FD), device=residuals.device) for label, sae in saes.items()}
    leaky_codes = {label: torch.empty_like(codes_NF) for label, codes_NF in codes.items()}

    widest = max((len(sae.W_dec_FD) for sae in saes.values()), default=residuals.width)
    step = rows_at_once(residuals.context_length * widest, residuals.device)
    first = 0
    with progress_bar("pooling", len(distinct), "texts") as bar:
        for winners, same_winners in groupby(distinct, key=itemgetter(1)):
            texts = [row for row, _ in same_winners]
            for start in range(0, len(texts), step):
                part = texts[start : start + step]
                rows = slice(first, first + len(part))
                residual_ND[rows], means = _pool_part(residuals, with_winners(saes, dict(winners), len(part)), part)
                for label, means_S2F in means.items():
                    codes[label][rows], leaky_codes[label][rows] = means_S2F.unbind(1)
                first = rows.stop
                bar.update(len(part))

    sizes = {group: len(rows) for group, rows in groups.items()}
    if len(distinct) < len(row_N):
        residual_ND = residual_ND[row_N]
        codes, leaky_codes = ({label: found[row_N] for label, found in pooled.items()} for pooled in (codes, leaky_codes))
    return Pooled(sizes, residual_ND, codes, leaky_codes)


def _pool_part(residuals: TextResiduals, saes: Mapping[str, SAE], rows: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
    """Mean residuals (S, D), and of each SAE the mean codes (S, 2, F): over the valid positions, over all of them."""
    residual_SLD, valid_SL = residuals.of(rows)
    count_S1 = valid_SL.sum(1, keepdim=True)
    valid_and_all_S2L = torch.stack([valid_SL, torch.ones_like(valid_SL)], 1).float()
    means = {
        label: torch.bmm(valid_and_all_S2L, acts_SLF) / count_S1[..., None]
        for label, acts_SLF in encode_with_each(saes, residual_SLD)
    }
    for label, means_S2F in means.items():
        if not means_S2F.isfinite().all():
            row = rows[int((~means_S2F.isfinite()).nonzero()[0, 0])]
            raise UserError(f"sae {label!r}: its codes of text {row} are not finite; they are beyond what float32 holds")
    return residual_SLD.sum(1) / count_S1, means


def released_winners(saes: Mapping[str, SAE], sequences: int) -> tuple[tuple[str, int], ...]:
    """(label, winners a sequence) of each SAE whose rule makes them of the number of sequences in a batch: `released`."""
    released = {label: given(sae.rate, "the SAE's rate") for label, sae in saes.items() if sae.inference == "released"}
    return tuple((label, winners_per_latent(rate, sequences)) for label, rate in released.items())


def with_winners(saes: Mapping[str, SAE], winners: Mapping[str, int], sequences: int) -> dict[str, SAE]:
    """The SAEs for a part of a batch, of that many sequences: as many winners there as `winners` says of the whole batch."""
    return {
        label: replace(sae, rate=(winners[label] + 0.5) / sequences) if label in winners else sae for label, sae in saes.items()
    }
