"""Cuts the documentation's held-out part into labelled texts: the package is the class, docstring or code the attribute."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.text.documents import read_description, read_documents
from wta_sae.text.labelled import docstring_rows
from wta_sae.text.labelled_rows import SPLIT, TEXT, write_rows


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--documents", type=Path, required=True, help="Parquet file of collect-text docstrings")
    parser.add_argument("--seed", type=int, required=True, help="of the order of texts")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")


def run(arguments: Namespace) -> None:
    rows = docstring_rows(read_documents(arguments.documents), arguments.seed)
    records = ({TEXT: row.text, SPLIT: row.split, "package": row.label, "kind": row.attribute} for row in rows)
    print(f"{write_rows(arguments.out, records, read_description(arguments.documents)):,} labelled texts")
