"""Typesets the paper from its source and the generated tables, figures and numbers."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.presentation.pdf import build_pdf


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--main", type=Path, required=True, help="LaTeX source; its folder is searched too")
    parser.add_argument("--inputs", type=Path, nargs="+", required=True, help="folders of what it inputs and includes")
    parser.add_argument("--out", type=Path, required=True, help="PDF to write")


def run(arguments: Namespace) -> None:
    build_pdf(arguments.main, arguments.inputs, arguments.out)
