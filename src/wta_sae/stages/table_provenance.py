"""Writes the appendix on what a run's results are of, with the checksums of its SAEs."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import read_json, write_text
from wta_sae.presentation.checksums import table_provenance
from wta_sae.stages.template_arguments import add_template_arguments


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--provenance", type=Path, required=True, help="JSON of record-provenance")
    add_template_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    write_text(arguments.out, table_provenance(arguments.template, read_json(arguments.provenance)))
