"""Writes the table of what tells all variants apart at equal L0: each read out in the form of its own rule."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_text
from wta_sae.presentation.outlook_metrics import Outlook
from wta_sae.presentation.run_metrics import read_metrics
from wta_sae.presentation.tables import table_outlook
from wta_sae.stages.template_arguments import add_template_arguments


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--rate", type=float, required=True, help="nominal sparsity rate at which WTA's budget is k")
    parser.add_argument("--k", type=int, required=True, help="active latents a token at which all are compared")
    add_template_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    outlook = Outlook(read_metrics(arguments.metrics), arguments.rate, arguments.k)
    write_text(arguments.out, table_outlook(arguments.template, outlook))
