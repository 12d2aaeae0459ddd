"""Draws Figure 2: KL score, explained variance, L1 and fraction alive over the sparsity rate."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.files import read_json
from wta_sae.presentation.figure2 import write_figure2
from wta_sae.presentation.metrics_table import read_metrics, read_published
from wta_sae.presentation.settings import papers_model, scale_of


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="JSON of record-config")
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--published", type=Path, required=True, help="the paper's numbers")
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)


def run(arguments: Namespace) -> None:
    config, metrics, published = (
        read_json(arguments.config),
        read_metrics(arguments.metrics),
        read_published(arguments.published),
    )
    same_model = papers_model(config, published)
    write_figure2(arguments.pdf, arguments.png, metrics, published, scale_of(config).k, same_model)
