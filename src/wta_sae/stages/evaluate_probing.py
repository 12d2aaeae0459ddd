"""Sparse probing accuracy of one SAE: the mean over labelled sets of the mean over their classes."""

from argparse import ArgumentParser, Namespace

from wta_sae.metrics.probing import probing_metrics
from wta_sae.stages.evaluating import CLASSES, Family, add_class_arguments, evaluate_on_texts


def add_arguments(parser: ArgumentParser) -> None:
    add_class_arguments(parser, "--out")


def run(arguments: Namespace) -> None:
    probing = Family(arguments.texts, lambda _saes, train, test: probing_metrics(train, test, seed=arguments.seed))
    evaluate_on_texts(arguments, CLASSES, {arguments.out: probing})
