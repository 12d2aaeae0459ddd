"""Writes the table of the comparison at equal L0: every variant of the run under the same three rules."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_text
from wta_sae.presentation.run_metrics import read_metrics
from wta_sae.presentation.tables import table_matched
from wta_sae.stages.template_arguments import add_template_arguments


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--rate", type=float, required=True, help="nominal sparsity rate at which WTA's budget is k")
    parser.add_argument("--k", type=int, required=True, help="active latents a token at which all are compared")
    add_template_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    metrics = read_metrics(arguments.metrics)
    write_text(arguments.out, table_matched(arguments.template, metrics, arguments.rate, arguments.k))
