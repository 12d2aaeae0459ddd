"""Sparse probing: how well a class is read off the pooled SAE codes, all of them or the best 1, 2, 5.

Shape suffixes: N texts, D width of the probed features (model width or latents), K chosen features.

Source: SAEBench 0.6.0, `evals/sparse_probing/main.py` and `probe_training.py`; paper Table 1's "sparse probing accuracy" is
`sae_test_accuracy`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor

from wta_sae.base.progress import progress
from wta_sae.metrics.evaluation import Evaluation
from wta_sae.metrics.logistic_regression import logistic_regression
from wta_sae.metrics.pooling import Pooled
from wta_sae.metrics.probes import FULL_PROBE, train_probe
from wta_sae.metrics.tasks import one_vs_rest

K_VALUES = (1, 2, 5)
VALIDATION_SHARE = 0.2  # of the training task, for the variant that does not select on the test set


@dataclass(frozen=True)
class ProbingBaseline:
    """What probes read off the language model itself, and where the draws stand after them. seed: of all draws."""

    metrics: dict[str, float]
    generator_state: Tensor
    seed: int


def probing_baseline(train: Pooled, test: Pooled, k_values: Sequence[int] = K_VALUES, seed: int = 42) -> ProbingBaseline:
    """The language model's own accuracies on one dataset: as the SAE's in `probing_metrics`, with llm_ in place of sae_."""
    generator = torch.Generator().manual_seed(seed)
    features = _Features(train, test, train.residual_ND, test.residual_ND)
    return ProbingBaseline(_accuracies("llm", features, k_values, seed, generator), generator.get_state(), seed)


def probing_metrics(
    train: Pooled, test: Pooled, baseline: ProbingBaseline, k_values: Sequence[int] = K_VALUES
) -> dict[str, Evaluation]:
    """One-vs-rest test accuracies on one dataset, means over its classes; an SAE for each label of `train.codes`.

    train, test: of `pool_texts`, a group a class; baseline: of the same texts.

    Metrics: {sae,llm}_test_accuracy (all features; SAEBench's choice of the epoch by TEST accuracy, optimistic),
    {sae,llm}_test_accuracy_validated (ours: chosen on a fifth of the training task), {sae,llm}_top_{k}_test_accuracy.
    Negatives are drawn anew for every probe, in SAEBench's order, the language model's probes first: a seed gives its tasks,
    and every SAE meets the same ones.
    """
    generator = torch.Generator()
    evaluations = {}
    for label in progress(train.codes, "probing", len(train.codes), "SAEs"):
        generator.set_state(baseline.generator_state)
        features = _Features(train, test, train.codes[label], test.codes[label])
        evaluations[label] = Evaluation(_accuracies("sae", features, k_values, baseline.seed, generator) | baseline.metrics)
    return evaluations


@dataclass(frozen=True)
class _Features:
    """What the probes read, (texts, features), and which texts the rows are."""

    train: Pooled
    test: Pooled
    train_ND: Tensor
    test_ND: Tensor

    def task(self, positive: str, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A class's training task and test task: features and truths of each."""
        rows, is_positive = one_vs_rest(self.train, positive, generator)
        test_rows, test_is_positive = one_vs_rest(self.test, positive, generator)
        return self.train_ND[rows], is_positive, self.test_ND[test_rows], test_is_positive


def _accuracies(
    prefix: str, features: _Features, k_values: Sequence[int], seed: int, generator: torch.Generator
) -> dict[str, float]:
    classes = list(features.train.sizes)
    own_generator = torch.Generator().manual_seed(seed)  # so that the extra probe leaves SAEBench's draws as they are
    selected_on_test, validated = [], []
    for name in classes:
        x_ND, truth_N, test_ND, test_truth_N = features.task(name, generator)
        selected_on_test.append(train_probe(x_ND, truth_N, test_ND, test_truth_N, FULL_PROBE, generator)[1])
        kept = len(x_ND) - max(1, int(len(x_ND) * VALIDATION_SHARE))
        probe, _ = train_probe(x_ND[:kept], truth_N[:kept], x_ND[kept:], truth_N[kept:], FULL_PROBE, own_generator)
        validated.append(probe.accuracy(test_ND, test_truth_N))
    metrics = {
        f"{prefix}_test_accuracy": fmean(selected_on_test),
        f"{prefix}_test_accuracy_validated": fmean(validated),
    }
    for k in k_values:
        top_k = [top_k_accuracy(*features.task(name, generator), k) for name in classes]
        metrics[f"{prefix}_top_{k}_test_accuracy"] = fmean(top_k)
    return metrics


def top_k_accuracy(x_ND: Tensor, truth_N: Tensor, test_ND: Tensor, test_truth_N: Tensor, k: int) -> float:
    """Test accuracy of a logistic regression (L2, C = 1) on the k features whose class means differ most.

    Source: SAEBench `get_top_k_mean_diff_mask`, `train_sklearn_probe`. See `logistic_regression` for the solver.
    """
    difference_D = (x_ND[truth_N].mean(0) - x_ND[~truth_N].mean(0)).abs()
    chosen_K = difference_D.argsort(descending=True)[:k].sort().values
    probe = logistic_regression(x_ND[:, chosen_K], truth_N)
    return probe.accuracy(test_ND[:, chosen_K].double(), test_truth_N)
