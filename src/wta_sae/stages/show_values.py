"""A page that shows what a JSON file holds, for a report: a run's configuration, its provenance."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import read_json, write_text
from wta_sae.presentation.html_templates import values_page


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, required=True, help="JSON")
    parser.add_argument("--title", required=True, help="of the page")
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")


def run(arguments: Namespace) -> None:
    write_text(arguments.out, values_page(arguments.title, read_json(arguments.file)))
