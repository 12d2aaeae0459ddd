"""Writes Table 2: the published work's author contributions."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.presentation.metrics_table import read_contributions
from wta_sae.presentation.tables import write_table2


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--contributions", type=Path, required=True, help="YAML file")
    parser.add_argument("--out", type=Path, required=True, help="LaTeX file to write")


def run(arguments: Namespace) -> None:
    write_table2(arguments.out, read_contributions(arguments.contributions))
