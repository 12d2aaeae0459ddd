"""Writes the table of the comparison at equal L0: WTA, BatchTopK and TopK under the same three rules."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.presentation.metrics_table import read_metrics
from wta_sae.presentation.tables import write_table_matched


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--rate", type=float, required=True, help="nominal sparsity rate at which WTA's budget is k")
    parser.add_argument("--k", type=int, required=True, help="active latents a token at which all are compared")
    parser.add_argument("--out", type=Path, required=True, help="LaTeX file to write")


def run(arguments: Namespace) -> None:
    write_table_matched(arguments.out, read_metrics(arguments.metrics), arguments.rate, arguments.k)
