"""Draws labelled texts of several classes, for sparse probing and TPP."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.files import write_json
from wta_sae.text.labelled import class_texts
from wta_sae.text.labelled_hub import read_rows


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rows", type=Path, required=True, help="Parquet file of label docstrings or fetch-labelled-texts")
    parser.add_argument("--label", required=True, help="column that holds the class")
    parser.add_argument("--classes", nargs="+", required=True)
    parser.add_argument("--balanced-by", help="another column, from each of whose values as many texts of a class are drawn")
    parser.add_argument("--train", type=int, required=True, help="training texts a class")
    parser.add_argument("--test", type=int, required=True, help="test texts a class")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(arguments: Namespace) -> None:
    rows, source = read_rows(arguments.rows, arguments.label, arguments.balanced_by)
    texts = class_texts(rows, arguments.classes, arguments.train, arguments.test, arguments.seed)
    write_json(arguments.out, {"source": source, **texts})
