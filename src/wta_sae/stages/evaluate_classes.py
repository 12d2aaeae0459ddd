"""Sparse probing and targeted probe perturbation (TPP) of one SAE together: texts that both read are pooled once."""

from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

from wta_sae.metrics.probing import probing_metrics
from wta_sae.metrics.tpp import tpp_metrics
from wta_sae.stages.evaluating import CLASSES, Family, add_class_arguments, add_perturbation_arguments, evaluate_on_texts


def add_arguments(parser: ArgumentParser) -> None:
    add_class_arguments(parser, "--probing-out", "--tpp-out")
    parser.add_argument("--tpp-texts", type=Path, nargs="+", required=True, help="those of the texts that TPP is computed on")
    add_perturbation_arguments(parser)


def run(arguments: Namespace) -> None:
    families = {
        arguments.probing_out: Family(
            arguments.texts, lambda _saes, train, test: probing_metrics(train, test, seed=arguments.seed)
        ),
        arguments.tpp_out: Family(
            arguments.tpp_texts, partial(tpp_metrics, n_values=arguments.perturbed_latents, seed=arguments.seed)
        ),
    }
    evaluate_on_texts(arguments, CLASSES, families)
