"""The paper's own wording of SCR and TPP: how much of an activation lies in the span of its active latents' directions.

Shape suffixes: C contexts, L positions, S sequences of a batch, N tokens (valid ones), M tokens of a chunk, D model width,
F latents, K most active latents of a chunk's tokens, R right-hand sides (x and x - b_dec).

Source: paper section 4.1, "Subspace Cosine Reconstruction" and "Total Projection Percentage". No released code computes them;
its Table 1 holds SAEBench's SCR and TPP.
"""

from bisect import bisect_left
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.linalg import cholesky_ex, eigh, solve_triangular

from wta_sae.language_model.model import LanguageModel
from wta_sae.metrics.evaluation import Evaluation
from wta_sae.metrics.slices import rows_at_once
from wta_sae.metrics.token_pass import TokenBatch, measure_tokens
from wta_sae.sae.sae import SAE

DEPENDENT = 1e-10  # of the largest eigenvalue (or squared pivot): a direction below it adds nothing to the span


def evaluate_subspace(
    lm: LanguageModel, saes: dict[str, SAE], tokens_CL: Tensor, batch_contexts: int = 16
) -> dict[str, Evaluation]:
    """Means over the valid tokens, all between 0 and 1.

    subspace_cosine: |Px| / |x|, P the projector on the span of W_dec[j] of the latents with z_j > 0; projection_percentage:
    |Px|^2 / |x|^2 (a share, not times 100). With the ending _centred, of x - b_dec. A token without active latents, or
    of length zero, counts as 0.
    """
    return measure_tokens(lm, saes, tokens_CL, batch_contexts, Subspace)[0]


class Subspace:
    """Running sums of `evaluate_subspace`."""

    def __init__(self, lm: LanguageModel, saes: dict[str, SAE], length: int) -> None:
        self.saes = saes
        self.sums = {label: torch.zeros(4, dtype=torch.float64, device=lm.device) for label in saes}
        self.tokens = 0

    def add(self, batch: TokenBatch) -> None:
        x_ND = batch.residual_SLD[batch.valid_SL].double()
        self.tokens += len(x_ND)
        for label, sae in self.saes.items():
            x_NRD = torch.stack([x_ND, x_ND - sae.b_dec_D.double()], 1)
            share_NR = explained_share(x_NRD, (batch.acts_SLF[label] > 0)[batch.valid_SL], sae.W_dec_FD.double())
            self.sums[label] += torch.cat([share_NR.sqrt().sum(0), share_NR.sum(0)])

    def evaluations(self) -> dict[str, Evaluation]:
        names = ("subspace_cosine", "subspace_cosine_centred", "projection_percentage", "projection_percentage_centred")
        return {
            label: Evaluation(dict(zip(names, (total / self.tokens).tolist(), strict=True)))
            for label, total in self.sums.items()
        }


def explained_share(x_NRD: Tensor, active_NF: Tensor, W_dec_FD: Tensor) -> Tensor:
    """|Px|^2 / |x|^2 of every token and right-hand side, (N, R) float64; P projects on the token's active rows of W_dec.

    x_NRD, W_dec_FD: float64. Cholesky of the rows' Gram matrix; its eigenvectors where rows are (nearly) dependent. Equal to
    an SVD to rounding. Tokens with D or more active latents are treated apart: there the span is most often everything,
    and the Gram matrix in D dimensions is the smaller one.
    """
    width = W_dec_FD.shape[1]
    padded_W_dec_FD = torch.cat([W_dec_FD, W_dec_FD.new_zeros(1, width)])
    energy_NR = x_NRD.new_zeros(x_NRD.shape[:2])
    count_N = active_NF.sum(-1, dtype=torch.int32)
    for chunk_M, latents_MK in _chunks(active_NF, count_N, width):
        x_MRD = x_NRD[chunk_M]
        directions_MKD = padded_W_dec_FD.index_select(0, latents_MK.flatten()).view(*latents_MK.shape, width)
        project = _energy_in_wide_span if latents_MK.shape[1] >= width else _energy_in_span
        energy_NR[chunk_M] = project(x_MRD, directions_MKD, latents_MK < len(W_dec_FD))
    total_NR = x_NRD.square().sum(-1)
    return torch.where(total_NR > 0, energy_NR / total_NR, 0).clamp(0, 1)  # rounding may pass 1 by an ulp


def _chunks(active_NF: Tensor, count_N: Tensor, width: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens with similarly many active latents, and these latents (M, K), padded at the end with the number F.

    Bounded memory; no chunk mixes tokens below and above `width` active latents; tokens without any are left out.
    """
    latents = active_NF.shape[1]
    count_N, order_N = count_N.sort()
    counts = count_N.tolist()
    end = len(counts)
    while end > 0 and counts[end - 1] > 0:
        most = counts[end - 1]
        lowest = width if most >= width else 1
        # Directions, Gram matrix and its factor; 2: float64.
        start = max(0, end - rows_at_once(2 * most * (width + 2 * most), active_NF.device))
        start = bisect_left(counts, lowest, lo=start, hi=end)
        chunk_M = order_N[start:end]
        token, latent = active_NF[chunk_M].nonzero(as_tuple=True)
        first_M = torch.cumsum(count_N[start:end], 0) - count_N[start:end]
        place = torch.arange(len(token), device=token.device) - first_M[token]
        latents_MK = torch.full((len(chunk_M), most), latents, device=token.device)
        latents_MK[token, place] = latent
        yield chunk_M, latents_MK
        end = start


def _energy_in_span(x_MRD: Tensor, directions_MKD: Tensor, real_MK: Tensor) -> Tensor:
    """|Px|^2, (M, R), where the directions (padded with zeros) are fewer than D."""
    gram_MKK = directions_MKD @ directions_MKD.mT
    b_MKR = directions_MKD @ x_MRD.mT
    factor_MKK, sound_M = _cholesky(gram_MKK, real_MK)  # what follows is overwritten where that is not sound
    energy_MR = solve_triangular(factor_MKK, b_MKR, upper=False).square().sum(-2)
    if not sound_M.all():
        directions_MKD = directions_MKD[~sound_M]
        value_MK, vector_MKK = eigh(directions_MKD @ directions_MKD.mT)
        kept_MK = value_MK > DEPENDENT * value_MK[:, -1:]
        coefficient_MKR = vector_MKK.mT @ b_MKR[~sound_M]
        energy_MKR = coefficient_MKR.square() / torch.where(kept_MK, value_MK, torch.inf)[..., None]
        energy_MR[~sound_M] = energy_MKR.sum(-2)
    return energy_MR


def _energy_in_wide_span(x_MRD: Tensor, directions_MKD: Tensor, real_MK: Tensor) -> Tensor:
    """|Px|^2, (M, R), where there are D directions or more: all of |x|^2 if the first D are independent."""
    width = x_MRD.shape[-1]
    energy_MR = x_MRD.square().sum(-1)
    first_MDD = directions_MKD[:, :width]
    _, sound_M = _cholesky(first_MDD @ first_MDD.mT, real_MK[:, :width])
    if not sound_M.all():
        directions_MKD = directions_MKD[~sound_M]
        value_MD, vector_MDD = eigh(directions_MKD.mT @ directions_MKD)
        kept_MD1 = (value_MD > DEPENDENT * value_MD[:, -1:])[..., None]
        energy_MR[~sound_M] = (vector_MDD.mT @ x_MRD[~sound_M].mT).square().mul(kept_MD1).sum(-2)
    return energy_MR


def _cholesky(gram_MKK: Tensor, real_MK: Tensor) -> tuple[Tensor, Tensor]:
    """Cholesky factors, and where they can be trusted: it succeeded, and no real pivot is much below the largest.

    Puts a 1 on the diagonal of padded rows (not real), in place.
    """
    gram_MKK.diagonal(dim1=-2, dim2=-1).add_(~real_MK)
    factor_MKK, failed_M = cholesky_ex(gram_MKK)
    pivot_MK = factor_MKK.diagonal(dim1=-2, dim2=-1).square()
    smallest_M = pivot_MK.masked_fill(~real_MK, torch.inf).amin(-1)
    largest_M = pivot_MK.masked_fill(~real_MK, 0).amax(-1)
    return factor_MKK, (failed_M == 0) & (smallest_M > DEPENDENT * largest_M)
