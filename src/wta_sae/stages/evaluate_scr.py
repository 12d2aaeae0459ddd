"""Spurious correlation removal (SCR) of one SAE: the mean over pairs of concepts."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.metrics.scr import QUADRANTS, evaluate_scr
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
        "--quadrants",
        type=Path,
        nargs="+",
        required=True,
        help='JSON: {"train": {"pos_pos": [text, ...], "pos_neg", "neg_pos", "neg_neg"}, "test": {...}}, attribute_concept',
    )
    add_text_arguments(parser)
    add_perturbation_arguments(parser)


def run(arguments: Namespace) -> None:
    evaluate_on_texts(arguments, evaluate_scr, arguments.quadrants, QUADRANTS, n_values=arguments.perturbed_latents)
