"""Spurious correlation removal (SCR): can latents take a spurious attribute out of a probe that learned it?

Shape suffixes: N texts, F latents.

Source: SAEBench 0.6.0, `evals/scr_and_tpp/main.py` with perform_scr = True. (The paper's text expands
the abbreviation otherwise, as a subspace cosine; that is in `subspace.py`. Its Table 1 holds this one.)
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from wta_sae.base.progress import progress
from wta_sae.metrics.ablation import ABLATIONS, N_VALUES, ablated_logits, code_difference, latent_effects, top_latents
from wta_sae.metrics.evaluation import Evaluation
from wta_sae.metrics.pooling import Pooled
from wta_sae.metrics.probes import PERTURBATION_PROBE, Probe, train_probe
from wta_sae.metrics.tasks import one_vs_one
from wta_sae.sae.sae import SAE

# A set of texts -> the groups (`labelled_groups.set_groups`) that are its positives and negatives. SAEBench calls them
# after one of its pairs:
# "male / female" (attribute), "professor / nurse" (concept), "male_professor / female_nurse" (biased).
SETS = {
    "attribute": ("attribute positive", "attribute negative"),
    "concept": ("concept positive", "concept negative"),
    "biased": ("biased positive", "biased negative"),
}
UNBIASED = "the probe that was to be biased follows attribute and concept alike"
SMALLEST_GAP = 0.001  # between the unbiased and the biased probe's accuracy; below it there is nothing to remove


def train_set_probes(train: Pooled, test: Pooled, seed: int) -> dict[str, Probe]:
    """A probe for each of the SETS on the pooled residual stream; they do not depend on the SAE.

    SAEBench also trains each probe's mirror image, and uses none of them; here they only keep the draws in step, so that a
    seed gives SAEBench's own probes.
    """
    generator = torch.Generator().manual_seed(seed)
    probes = {}
    for name, groups in progress(SETS.items(), "SCR probes", len(SETS), "sets"):
        positive, negative = groups
        probes[name] = _train_set_probe(train, test, positive, negative, generator)
        _train_set_probe(train, test, negative, positive, generator)
    return probes


def _train_set_probe(train: Pooled, test: Pooled, positive: str, negative: str, generator: torch.Generator) -> Probe:
    rows, is_positive = one_vs_one(train, positive, negative, generator)
    test_rows, test_is_positive = one_vs_one(test, positive, negative, generator)
    x_ND, test_ND = train.residual_ND[rows], test.residual_ND[test_rows]
    return train_probe(x_ND, is_positive, test_ND, test_is_positive, PERTURBATION_PROBE, generator)[0]


@torch.no_grad()
def scr_metrics(
    saes: dict[str, SAE],
    train: Pooled,
    test: Pooled,
    probes: dict[str, Probe],
    n_values: Sequence[int] = N_VALUES,
) -> dict[str, Evaluation]:
    """SCR from pooled texts and trained probes; deterministic.

    A score is the share of the gap between the biased probe's accuracy and the matching unbiased probe's that closes when
    the top n latents are taken out; negative and above 1 are possible, 0 where the gap is below SMALLEST_GAP.
    scr_dir1_threshold_{n}: accuracy on the concept, without the attribute's latents; scr_dir2_threshold_{n}: accuracy on the
    attribute, without the concept's; scr_metric_threshold_{n}: the first where the biased probe follows the attribute more
    than the concept, the second where less, undefined where equal. The same with the ending _masked, without SAEBench's leak.
    """
    clean = {(probe, data): _accuracy(probes[probe].logits(test.residual_ND), test, data) for probe in SETS for data in SETS}
    followed = clean["biased", "attribute"] - clean["biased", "concept"]
    evaluations = {}
    for label, sae in progress(saes.items(), "SCR", len(saes), "SAEs"):
        values: dict[str, float] = {}
        for direction, taken_out, data in ((1, "attribute", "concept"), (2, "concept", "attribute")):
            effects_F = set_effects(train, label, taken_out, probes[taken_out], sae.W_dec_FD)
            gap = clean[data, data] - clean["biased", data]
            is_the_metric = followed > 0 if direction == 1 else followed < 0
            for n in n_values:
                latents_K = top_latents(effects_F, n)
                for ending in ABLATIONS:
                    logits_N1 = ablated_logits(test, label, ending, latents_K, [probes["biased"]], sae.W_dec_FD)
                    gained = _accuracy(logits_N1[:, 0], test, data) - clean["biased", data]
                    score = gained / gap if gap >= SMALLEST_GAP else 0.0
                    values[f"scr_dir{direction}_threshold_{n}{ending}"] = score
                    if is_the_metric:
                        values[f"scr_metric_threshold_{n}{ending}"] = score
        unbiased = [f"scr_metric_threshold_{n}{ending}" for n in n_values for ending in ABLATIONS] if followed == 0 else []
        evaluations[label] = Evaluation(values, undefined=dict.fromkeys(unbiased, UNBIASED))
    return evaluations


def set_effects(train: Pooled, label: str, name: str, probe: Probe, W_dec_FD: Tensor) -> Tensor:
    """|a+ - a-| |<w, W_dec[j]>| of every latent on a set's training texts, (F)."""
    rows, is_positive = _set_rows(train, name)
    return latent_effects(code_difference(train.codes[label], rows, is_positive), probe, W_dec_FD).abs()


def _set_rows(pooled: Pooled, name: str) -> tuple[Tensor, Tensor]:
    positive, negative = (pooled.rows(group) for group in SETS[name])
    rows = torch.cat([positive, negative]).to(pooled.residual_ND.device)
    return rows, torch.arange(len(rows), device=rows.device) < len(positive)


def _accuracy(logits_N: Tensor, pooled: Pooled, name: str) -> float:
    rows, is_positive = _set_rows(pooled, name)
    return ((logits_N[rows] > 0) == is_positive).double().mean().item()
