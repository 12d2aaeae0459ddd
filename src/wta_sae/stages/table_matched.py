"""Writes the table of the comparison at equal L0: WTA, BatchTopK and TopK under the same three rules."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_text
from wta_sae.presentation.matched_table import table_matched
from wta_sae.presentation.metrics_table import read_metrics


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--rate", type=float, required=True, help="nominal sparsity rate at which WTA's budget is k")
    parser.add_argument("--k", type=int, required=True, help="active latents a token at which all are compared")
    parser.add_argument("--out", type=Path, required=True, help="LaTeX file to write")


def run(arguments: Namespace) -> None:
    write_text(arguments.out, table_matched(read_metrics(arguments.metrics), arguments.rate, arguments.k))
