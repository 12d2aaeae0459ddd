"""Collects documents from the documentation of installed packages, de-duplicated and split into train and evaluation."""

from argparse import ArgumentParser, Namespace

from wta_sae.stages.collected_text import add_document_arguments, write_collected
from wta_sae.text.docstrings import docstring_passages, package_versions


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--packages", nargs="+", required=True, help="as they are imported")
    parser.add_argument("--workers", type=int, default=1, help="processes that read")
    add_document_arguments(parser)


def run(arguments: Namespace) -> None:
    description = {"source": "docstrings", "packages": package_versions(arguments.packages)}
    write_collected(arguments, docstring_passages(arguments.packages, arguments.workers), description)
