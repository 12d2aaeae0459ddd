"""Targeted probe perturbation (TPP): do the latents of one class move that class's probe, and no other?

Shape suffixes: N texts, C classes (a probe each), F latents.

Source: SAEBench 0.6.0, `evals/scr_and_tpp/main.py` with perform_scr = False. (The paper's text expands the abbreviation
otherwise, as a projection percentage; that is in `subspace.py`. Its Table 1 holds this one.)
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from wta_sae.base.progress import progress
from wta_sae.metrics.ablation import ABLATIONS, N_VALUES, ablated_logits, code_difference, latent_effects, top_latents
from wta_sae.metrics.evaluation import Evaluation
from wta_sae.metrics.pooling import Pooled
from wta_sae.metrics.probes import PERTURBATION_PROBE, Probe, train_probe
from wta_sae.metrics.tasks import one_vs_rest
from wta_sae.sae.sae import SAE


@dataclass(frozen=True)
class ClassProbes:
    """A one-vs-rest probe a class on the pooled residual stream; none depends on an SAE.

    accuracies: each probe's on a test task; generator_state: where the draws stand after them.
    """

    probes: dict[str, Probe]
    accuracies: dict[str, float]
    generator_state: Tensor


def train_class_probes(train: Pooled, test: Pooled, seed: int = 42) -> ClassProbes:
    """Of one dataset, a group a class. seed: of all draws, those of `tpp_metrics` included."""
    generator = torch.Generator().manual_seed(seed)
    probes = {}
    for name in progress(train.sizes, "TPP probes", len(train.sizes), "classes"):
        rows, is_positive = one_vs_rest(train, name, generator)
        test_rows, test_is_positive = one_vs_rest(test, name, generator)
        probes[name], _ = train_probe(
            train.residual_ND[rows],
            is_positive,
            test.residual_ND[test_rows],
            test_is_positive,
            PERTURBATION_PROBE,
            generator,
        )
    logits_NC = torch.stack([probe.logits(test.residual_ND) for probe in probes.values()], 1)
    return ClassProbes(probes, class_accuracies(logits_NC, test, generator), generator.get_state())


@torch.no_grad()
def tpp_metrics(
    saes: Mapping[str, SAE], train: Pooled, test: Pooled, class_probes: ClassProbes, n_values: Sequence[int] = N_VALUES
) -> dict[str, Evaluation]:
    """TPP on one dataset. train, test: of `pool_texts`; class_probes: of the same texts.

    Metrics, for each n, means over the classes of the accuracy lost when a class's top n latents are taken out:
    tpp_threshold_{n}_intended_diff_only (its own probe's), _unintended_diff_only (mean of the other probes'), _total_metric
    (the first less the second); and the same with the ending _masked, without SAEBench's leak at masked positions.
    Negatives are drawn anew for every accuracy, in SAEBench's order, the same for every SAE and for both endings.
    """
    generator = torch.Generator()
    evaluations = {}
    for label, sae in progress(saes.items(), "TPP", len(saes), "SAEs"):
        generator.set_state(class_probes.generator_state)
        effects = class_effects(train, label, class_probes.probes, sae.W_dec_FD, generator)
        losses = _losses(label, sae, test, class_probes.probes, effects, class_probes.accuracies, n_values, generator)
        evaluations[label] = Evaluation(losses)
    return evaluations


def class_effects(
    train: Pooled, label: str, probes: dict[str, Probe], W_dec_FD: Tensor, generator: torch.Generator
) -> dict[str, Tensor]:
    """max(a+ - a-, 0) <w_c, W_dec[j]> of every latent, for every class c: signed, (F)."""
    effects = {}
    for name, probe in probes.items():
        difference_F = code_difference(train.codes[label], *one_vs_rest(train, name, generator))
        effects[name] = latent_effects(difference_F.clamp(min=0), probe, W_dec_FD)
    return effects


def class_accuracies(logits_NC: Tensor, pooled: Pooled, generator: torch.Generator) -> dict[str, float]:
    """Each class's probe on a freshly drawn one-vs-rest task."""
    accuracies = {}
    for column, name in enumerate(pooled.sizes):
        rows, is_positive = one_vs_rest(pooled, name, generator)
        accuracies[name] = ((logits_NC[rows, column] > 0) == is_positive).double().mean().item()
    return accuracies


def _losses(
    label: str,
    sae: SAE,
    test: Pooled,
    probes: dict[str, Probe],
    effects: dict[str, Tensor],
    clean: dict[str, float],
    n_values: Sequence[int],
    generator: torch.Generator,
) -> dict[str, float]:
    collected = defaultdict(list)
    for target, effects_F in effects.items():
        for n in n_values:
            latents_K = top_latents(effects_F, n)
            before = generator.get_state()
            for ending in ABLATIONS:
                generator.set_state(before)
                logits_NC = ablated_logits(test, label, ending, latents_K, list(probes.values()), sae.W_dec_FD)
                after = class_accuracies(logits_NC, test, generator)
                intended = clean[target] - after[target]
                unintended = fmean(clean[name] - after[name] for name in probes if name != target)
                collected[f"tpp_threshold_{n}_total_metric{ending}"].append(intended - unintended)
                collected[f"tpp_threshold_{n}_intended_diff_only{ending}"].append(intended)
                collected[f"tpp_threshold_{n}_unintended_diff_only{ending}"].append(unintended)
    return {name: fmean(values) for name, values in collected.items()}
