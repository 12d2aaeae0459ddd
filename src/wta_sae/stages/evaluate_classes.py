"""Sparse probing and targeted probe perturbation (TPP) of one SAE together: they pool the same texts, here once."""

from argparse import ArgumentParser, Namespace
from functools import partial

from wta_sae.metrics.probing import probing_metrics
from wta_sae.metrics.tasks import pool_classes
from wta_sae.metrics.tpp import tpp_metrics
from wta_sae.stages.evaluation import add_class_arguments, add_perturbation_arguments, evaluate_on_texts


def add_arguments(parser: ArgumentParser) -> None:
    add_class_arguments(parser, "--probing-out", "--tpp-out")
    add_perturbation_arguments(parser)


def run(arguments: Namespace) -> None:
    families = {
        arguments.probing_out: lambda _saes, train, test: probing_metrics(train, test, seed=arguments.seed),
        arguments.tpp_out: partial(tpp_metrics, n_values=arguments.perturbed_latents, seed=arguments.seed),
    }
    evaluate_on_texts(arguments, arguments.texts, pool_classes, families)
