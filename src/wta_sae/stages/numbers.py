"""Writes every number of the paper's prose as a LaTeX macro."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.files import read_json
from wta_sae.presentation.metrics_table import read_metrics, read_published
from wta_sae.presentation.numbers import write_numbers


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="JSON of record-config")
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--published", type=Path, required=True, help="the paper's numbers")
    parser.add_argument("--out", type=Path, required=True, help="LaTeX file to write")


def run(arguments: Namespace) -> None:
    config, metrics = read_json(arguments.config), read_metrics(arguments.metrics)
    write_numbers(arguments.out, config, metrics, read_published(arguments.published))
