"""Draws Figure 2: KL score, explained variance, L1 and fraction alive over the sparsity rate."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.presentation.figure2 import write_figure2
from wta_sae.presentation.metrics_table import read_metrics, read_published


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--published", type=Path, required=True, help="the paper's numbers")
    parser.add_argument("--k", type=int, required=True, help="active latents a token of the baselines")
    parser.add_argument("--same-model", action="store_true", help="the run uses the paper's language model")
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)


def run(arguments: Namespace) -> None:
    metrics, published = read_metrics(arguments.metrics), read_published(arguments.published)
    write_figure2(arguments.pdf, arguments.png, metrics, published, arguments.k, arguments.same_model)
