"""Draws labelled texts for sparse probing and TPP from the documentation's held-out part: the package is the class."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.files import write_json
from wta_sae.text.documents import read_documents
from wta_sae.text.labelled import class_texts, docstring_rows


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--documents", type=Path, required=True, help="Parquet file of collect-text docstrings")
    parser.add_argument("--classes", nargs="+", required=True, help="packages")
    parser.add_argument("--train", type=int, required=True, help="training texts a class")
    parser.add_argument("--test", type=int, required=True, help="test texts a class")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(arguments: Namespace) -> None:
    rows = docstring_rows(read_documents(arguments.documents))
    write_json(arguments.out, class_texts(rows, arguments.classes, arguments.train, arguments.test, arguments.seed))
