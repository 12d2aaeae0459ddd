"""Targeted probe perturbation (TPP) of one SAE: the mean over labelled sets of the mean over their classes."""

from argparse import ArgumentParser, Namespace
from functools import partial

from wta_sae.metrics.tpp import tpp_metrics
from wta_sae.stages.evaluating import CLASSES, Family, add_class_arguments, add_perturbation_arguments, evaluate_on_texts


def add_arguments(parser: ArgumentParser) -> None:
    add_class_arguments(parser, "--out")
    add_perturbation_arguments(parser)


def run(arguments: Namespace) -> None:
    tpp = Family(arguments.texts, partial(tpp_metrics, n_values=arguments.perturbed_latents, seed=arguments.seed))
    evaluate_on_texts(arguments, CLASSES, {arguments.out: tpp})
