"""Writes the table of true features: what each variant gives back and finds of them, by how unequally often they fire."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_text
from wta_sae.presentation.run_metrics import read_metrics
from wta_sae.presentation.tables import table_truth
from wta_sae.stages.template_arguments import add_template_arguments


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    add_template_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    write_text(arguments.out, table_truth(arguments.template, read_metrics(arguments.metrics).synthetic))
