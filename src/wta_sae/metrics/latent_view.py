"""All that a reader sees of single latents: what they fire on, what they write, and which latents are like them.

Shape suffixes: C contexts, L positions, D model width, F latents, G latents of another SAE, K chosen latents, N texts,
V vocabulary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import normalize

from wta_sae.metrics.latent_activations import LatentActivations
from wta_sae.metrics.latent_examples import (
    Window,
    favourite_tokens,
    over_quantiles,
    spread_over_densities,
    strongest,
    windows,
)
from wta_sae.sae.sae import SAE

STRONGEST = 20  # contexts of a latent, and of its match in another SAE MATCH_STRONGEST
MATCH_STRONGEST = 5
QUANTILES, OF_EACH_QUANTILE = 4, 5
FAVOURITES = 5  # tokens
OUTPUT_TOKENS = 10  # at each end
NEAREST = 5  # latents of the same SAE
BARS = 20  # of a histogram


@dataclass(frozen=True)
class Histogram:
    """Counts in bars of equal width, and between which values they lie."""

    counts: list[int]
    lowest: float
    highest: float


@dataclass(frozen=True)
class Match:
    """A latent that is like another, by the cosine of their decoder directions. favourites, windows: as LatentView has them."""

    latent: int
    cosine: float
    favourites: list[int]
    windows: list[Window]


@dataclass(frozen=True)
class LatentView:
    """One latent.

    density: the share of tokens on which it fires; cosine: of its encoder and decoder direction; favourites: the tokens on
    which it is strongest in all (`favourite_tokens`); quantiles: windows around samples of equal parts of its activations'
    ranks, the strongest part first. raised, lowered: (token, logit) of the tokens that its decoder direction speaks most for
    and against. nearest: of the same SAE, without windows; matches: label of another SAE -> its latent that is most like this.
    classes: set of labelled texts -> class -> mean activation over the tokens of its test texts.
    """

    latent: int
    density: float
    largest: float
    cosine: float
    favourites: list[int]
    strongest: list[Window]
    quantiles: list[list[Window]]
    histogram: Histogram
    raised: list[tuple[int, float]]
    lowered: list[tuple[int, float]]
    nearest: list[Match]
    matches: dict[str, Match]
    classes: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class SAEView:
    """The chosen latents of an SAE, and how its densities are spread.

    latents, silent: how many it has, and how many of these never fire here; tokens: on how many it was looked at; l0: active
    latents a token. log_densities: of those that fire, log10.
    """

    inference: str
    latents: int
    silent: int
    tokens: int
    l0: float
    log_densities: Histogram
    largest: Histogram
    cosines: Histogram
    views: list[LatentView]


@dataclass(frozen=True)
class Looked:
    """An SAE and what was found of it. class_means: set of labelled texts -> class -> mean activation of each latent (F)."""

    sae: SAE
    acts: LatentActivations
    class_means: Mapping[str, Mapping[str, Tensor]]

    def dense_CL(self, latent: int, tokens_CL: Tensor) -> Tensor:
        return self.acts.dense_T(latent, tokens_CL.numel()).view_as(tokens_CL)


def chosen_latents(looked: Looked, count: int) -> list[int]:
    """Evenly over the densities of those that fire."""
    return spread_over_densities(looked.acts.density_F(), count)


def sae_view(
    label: str, saes: Mapping[str, Looked], latents: Sequence[int], logits_KV: Tensor, tokens_CL: Tensor, width: int
) -> SAEView:
    """Of an SAE among several, with these latents of it.

    logits_KV: what their decoder directions speak for (`direct_logits`). tokens_CL: what the activations are of. width: of
    the windows, in tokens.
    """
    looked = saes[label]
    sae, density_F = looked.sae, looked.acts.density_F()
    cosine_F = (normalize(sae.W_enc_DF.T, dim=1) * normalize(sae.W_dec_FD, dim=1)).sum(1)
    others = {other: _most_alike(sae.W_dec_FD[latents], of.sae.W_dec_FD, 1) for other, of in saes.items() if other != label}
    nearest_K = _most_alike(sae.W_dec_FD[latents], sae.W_dec_FD, NEAREST + 1)
    views = []
    for row, latent in enumerate(latents):
        acts_CL = looked.dense_CL(latent, tokens_CL)
        of_latent = acts_CL[acts_CL > 0]
        views.append(
            LatentView(
                latent=latent,
                density=density_F[latent].item(),
                largest=acts_CL.max().item(),
                cosine=cosine_F[latent].item(),
                favourites=favourite_tokens(tokens_CL, acts_CL, FAVOURITES),
                strongest=windows(tokens_CL, acts_CL, strongest(acts_CL, STRONGEST), width),
                quantiles=[
                    windows(tokens_CL, acts_CL, places_E2, width)
                    for places_E2 in over_quantiles(acts_CL, QUANTILES, OF_EACH_QUANTILE)
                ],
                histogram=histogram(of_latent),
                raised=_largest(logits_KV[row], OUTPUT_TOKENS),
                lowered=[(token, -value) for token, value in _largest(-logits_KV[row], OUTPUT_TOKENS)],
                nearest=[_match(looked, *one, tokens_CL, width, count=0) for one in nearest_K[row] if one[0] != latent][
                    :NEAREST
                ],
                matches={
                    other: _match(saes[other], *found[row][0], tokens_CL, width, MATCH_STRONGEST)
                    for other, found in others.items()
                },
                classes={
                    name: {one: means_F[latent].item() for one, means_F in of_set.items()}
                    for name, of_set in looked.class_means.items()
                },
            )
        )
    firing_F = density_F > 0
    return SAEView(
        inference=sae.inference,
        latents=len(density_F),
        silent=int((~firing_F).sum()),
        tokens=looked.acts.valid_tokens,
        l0=density_F.double().sum().item(),
        log_densities=histogram(density_F[firing_F].log10()),
        largest=histogram(_largest_F(looked.acts)[firing_F]),
        cosines=histogram(cosine_F),
        views=views,
    )


def histogram(values: Tensor) -> Histogram:
    """Of any values, from the smallest to the largest; of none without bars."""
    if not len(values):
        return Histogram([], 0.0, 0.0)
    lowest, highest = (one.item() for one in values.aminmax())
    return Histogram(values.histc(BARS, lowest, highest).int().tolist(), lowest, highest)


def _match(looked: Looked, latent: int, cosine: float, tokens_CL: Tensor, width: int, count: int) -> Match:
    acts_CL = looked.dense_CL(latent, tokens_CL)
    return Match(
        latent,
        cosine,
        favourite_tokens(tokens_CL, acts_CL, FAVOURITES),
        windows(tokens_CL, acts_CL, strongest(acts_CL, count), width),
    )


def _most_alike(rows_KD: Tensor, other_GD: Tensor, count: int) -> list[list[tuple[int, float]]]:
    """Of each row the most alike directions, with their cosines, the most alike first."""
    cosine_KG = normalize(rows_KD, dim=1) @ normalize(other_GD, dim=1).T
    found = cosine_KG.topk(min(count, len(other_GD)), dim=1)
    return [list(zip(*row, strict=True)) for row in zip(found.indices.tolist(), found.values.tolist(), strict=True)]


def _largest(values_V: Tensor, count: int) -> list[tuple[int, float]]:
    found = values_V.topk(min(count, len(values_V)))
    return list(zip(found.indices.tolist(), found.values.tolist(), strict=True))


def _largest_F(acts: LatentActivations) -> Tensor:
    latent_A = torch.arange(len(acts.start_F1) - 1).repeat_interleave(acts.start_F1.diff())
    return torch.zeros(len(acts.start_F1) - 1).scatter_reduce_(0, latent_A, acts.act_A, "amax")
