"""Draws labelled texts for SCR: the concept is one of two packages, the spurious attribute docstring or source code."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.files import write_json
from wta_sae.text.documents import CODE, DOCSTRING, read_documents
from wta_sae.text.labelled import docstring_rows, quadrant_texts


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--documents", type=Path, required=True, help="Parquet file of collect-text docstrings")
    parser.add_argument("--concepts", nargs=2, required=True, help="two packages: the positive and the negative concept")
    parser.add_argument("--train", type=int, required=True, help="training texts a quadrant")
    parser.add_argument("--test", type=int, required=True, help="test texts a quadrant")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(arguments: Namespace) -> None:
    rows = docstring_rows(read_documents(arguments.documents))
    concepts = tuple(arguments.concepts)
    write_json(
        arguments.out,
        quadrant_texts(rows, concepts, (DOCSTRING, CODE), arguments.train, arguments.test, arguments.seed),
    )
