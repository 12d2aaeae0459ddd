"""Binary tasks out of classes of texts: which rows are positive, which negative, in which order.

Source: SAEBench 0.6.0 `prepare_probe_data`. The draws come from one generator in SAEBench's order, so that a generator of the
same seed gives SAEBench's own tasks.
"""

import math

import torch
from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.language_model.model import LanguageModel
from wta_sae.metrics.pooling import BATCH_TEXTS, CONTEXT, Pooled, pool_texts
from wta_sae.sae.sae import SAE


def pool_classes(
    lm: LanguageModel,
    saes: dict[str, SAE],
    texts: dict[str, dict[str, list[str]]],
    context: int = CONTEXT,
    batch_texts: int = BATCH_TEXTS,
) -> tuple[Pooled, Pooled]:
    """The pooled train and test texts of a dataset, for `probing_metrics` and `tpp_metrics` alike.

    texts: {"train": {class: [text, ...]}, "test": {...}}, the same classes in both. Raises UserError as `check_classes`.
    """
    check_classes(texts)
    train = pool_texts(lm, saes, texts["train"], context, batch_texts)
    return train, pool_texts(lm, saes, texts["test"], context, batch_texts)


def check_classes(texts: dict[str, dict[str, list[str]]]) -> None:
    """Raises UserError unless train and test hold the same classes, two or more, with texts enough for one-vs-rest tasks."""
    for split in ("train", "test"):
        if split not in texts:
            raise UserError(f"texts: no {split!r} split; give train and test texts")
        classes = {name: len(found) for name, found in texts[split].items()}
        if len(classes) < 2:
            raise UserError(f"texts: {len(classes)} class in {split}; one-vs-rest tasks need two or more")
        if min(classes.values()) == 0:
            raise UserError(f"texts: class {min(classes, key=classes.get)!r} has no {split} text; leave the class out")
        largest = max(classes, key=classes.get)
        for name, size in classes.items():
            wanted = math.ceil(classes[largest] / (len(classes) - 1))
            if name != largest and size < wanted:
                raise UserError(
                    f"texts: class {name!r} has {size} {split} texts; as negatives of {largest!r} "
                    f"({classes[largest]} texts) {wanted} are needed"
                )
    if list(texts["train"]) != list(texts["test"]):
        raise UserError("texts: train and test name different classes, or in another order; give both the same")


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
