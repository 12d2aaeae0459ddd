"""Writes every number of the paper's prose as a LaTeX macro."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.files import read_json
from wta_sae.presentation.numbers import write_numbers
from wta_sae.stages.report import add_report_arguments, read_report_inputs


def add_arguments(parser: ArgumentParser) -> None:
    add_report_arguments(parser, out="LaTeX file")
    parser.add_argument("--provenance", type=Path, required=True, help="JSON of record-provenance")


def run(arguments: Namespace) -> None:
    write_numbers(arguments.out, *read_report_inputs(arguments), read_json(arguments.provenance))
