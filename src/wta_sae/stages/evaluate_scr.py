"""Spurious correlation removal (SCR) of one SAE: the mean over pairs of concepts."""

from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

from wta_sae.metrics.evaluation import Evaluation
from wta_sae.metrics.pooling import Pooled
from wta_sae.metrics.scr import QUADRANTS, balanced_groups, pool_quadrants, scr_metrics, train_set_probes
from wta_sae.sae.sae import SAE
from wta_sae.stages.evaluating import (
    Family,
    Task,
    add_language_model_arguments,
    add_perturbation_arguments,
    add_sae_arguments,
    add_text_arguments,
    evaluate_on_texts,
)


def add_arguments(parser: ArgumentParser) -> None:
    add_language_model_arguments(parser)
    add_sae_arguments(parser, "--out")
    parser.add_argument(
        "--quadrants",
        type=Path,
        nargs="+",
        required=True,
        help='JSON: {"train": {"pos_pos": [text, ...], "pos_neg", "neg_pos", "neg_neg"}, "test": {...}}, attribute_concept',
    )
    add_text_arguments(parser)
    add_perturbation_arguments(parser)


def run(arguments: Namespace) -> None:
    def scr(saes: dict[str, SAE], train: Pooled, test: Pooled) -> dict[str, Evaluation]:
        probes = train_set_probes(train, test, arguments.seed)
        return scr_metrics(saes, train, test, probes, arguments.perturbed_latents)

    def counts(quadrants: dict[str, dict[str, list[str]]]) -> list[int]:
        return [
            len(texts)
            for split in ("train", "test")
            for texts in balanced_groups(quadrants[split], split, arguments.seed).values()
        ]

    task = Task(partial(pool_quadrants, seed=arguments.seed), counts)
    evaluate_on_texts(arguments, task, {arguments.out: Family(arguments.quadrants, scr)}, QUADRANTS)
