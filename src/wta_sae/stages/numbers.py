"""Writes every number of the paper's prose as a LaTeX macro."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import read_json, write_text
from wta_sae.presentation.prose import numbers_tex
from wta_sae.stages.report_inputs import add_report_arguments, read_run


def add_arguments(parser: ArgumentParser) -> None:
    add_report_arguments(parser, out="LaTeX file")
    parser.add_argument("--provenance", type=Path, required=True, help="JSON of record-provenance")


def run(arguments: Namespace) -> None:
    write_text(arguments.out, numbers_tex(arguments.template, read_run(arguments), read_json(arguments.provenance)))
