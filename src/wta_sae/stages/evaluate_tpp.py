"""Targeted probe perturbation (TPP) of one SAE: the mean over labelled sets of the mean over their classes."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.metrics.tpp import evaluate_tpp
from wta_sae.stages.evaluation import (
    add_language_model_arguments,
    add_perturbation_arguments,
    add_sae_arguments,
    add_text_arguments,
    evaluate_on_texts,
)


def add_arguments(parser: ArgumentParser) -> None:
    add_language_model_arguments(parser)
    add_sae_arguments(parser)
    parser.add_argument(
        "--texts", type=Path, nargs="+", required=True, help='JSON: {"train": {class: [text, ...]}, "test": {...}}'
    )
    add_text_arguments(parser)
    add_perturbation_arguments(parser)


def run(arguments: Namespace) -> None:
    evaluate_on_texts(arguments, evaluate_tpp, arguments.texts, n_values=arguments.perturbed_latents)
