"""Collects documents from your own files, de-duplicated and split into train and evaluation."""

from argparse import ArgumentParser, Namespace

from wta_sae.plan.own_files import KINDS
from wta_sae.stages.collected_text import add_document_arguments, write_collected
from wta_sae.text.file_passages import file_passages


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--paths", nargs="+", required=True, help=f"{', '.join(KINDS)} files, or glob patterns")
    parser.add_argument("--column", default="text", help="that holds the text, of all but .txt")
    add_document_arguments(parser)


def run(arguments: Namespace) -> None:
    description = {"source": "files", "paths": arguments.paths, "column": arguments.column}
    write_collected(arguments, file_passages(arguments.paths, arguments.column), description)
