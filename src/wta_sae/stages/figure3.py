"""Draws Figure 3: explained variance and CE loss score against the L0 reached, for every readout."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.presentation.frontier_figure import write_figure3
from wta_sae.presentation.metrics_table import read_metrics


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--k", type=int, required=True, help="active latents a token of the matched comparison, marked")
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)


def run(arguments: Namespace) -> None:
    write_figure3(arguments.pdf, arguments.png, read_metrics(arguments.metrics), arguments.k)
