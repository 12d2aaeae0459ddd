"""Binary tasks out of classes of texts: which rows are positive, which negative, in which order.

Source: SAEBench 0.6.0 `prepare_probe_data`. The draws come from one generator in SAEBench's order, so that a generator of the
same seed gives SAEBench's own tasks.
"""

import math

import torch
from torch import Tensor

from wta_sae.metrics.pooling import Pooled


def one_vs_rest(pooled: Pooled, positive: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The rows of a class's balanced, shuffled task, and which of them are positive: (2n) int64, (2n) bool.

    All n positives; from each of the other C - 1 classes ceil(n / (C - 1)) random rows, of which n are kept.
    """
    positives = pooled.rows(positive)
    others = [name for name in pooled.sizes if name != positive]
    share = math.ceil(len(positives) / len(others))
    negatives = torch.cat(
        [pooled.rows(name)[torch.randperm(pooled.sizes[name], generator=generator)[:share]] for name in others]
    )
    return _balanced(positives, negatives, generator, pooled.residual_ND.device)


def one_vs_one(pooled: Pooled, positive: str, negative: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The same of one group against one other of its size."""
    return _balanced(pooled.rows(positive), pooled.rows(negative), generator, pooled.residual_ND.device)


def _balanced(positives: Tensor, negatives: Tensor, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    negatives = negatives[torch.randperm(len(negatives), generator=generator)[: len(positives)]]
    rows = torch.cat([positives, negatives])
    is_positive = torch.arange(len(rows)) < len(positives)
    order = torch.randperm(len(rows), generator=generator)
    return rows[order].to(device), is_positive[order].to(device)
