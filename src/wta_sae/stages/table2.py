"""Writes Table 2: the published work's author contributions."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_text
from wta_sae.presentation.contributions_table import table2
from wta_sae.presentation.published import read_contributions


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--contributions", type=Path, required=True, help="YAML file")
    parser.add_argument("--out", type=Path, required=True, help="LaTeX file to write")


def run(arguments: Namespace) -> None:
    write_text(arguments.out, table2(read_contributions(arguments.contributions)))
