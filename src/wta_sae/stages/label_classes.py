"""Draws labelled texts of several classes, for sparse probing and TPP."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_json
from wta_sae.text.labelled import class_texts
from wta_sae.text.labelled_rows import read_rows
from wta_sae.text.tokenizer import check_texts, load_tokenizer


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--rows", type=Path, required=True, help="Parquet file of label docstrings, label files or fetch-labelled-texts"
    )
    parser.add_argument("--label", required=True, help="column that holds the class")
    parser.add_argument("--classes", nargs="+", required=True)
    parser.add_argument("--balanced-by", help="another column, from each of whose values as many texts of a class are drawn")
    parser.add_argument("--train", type=int, required=True, help="training texts a class")
    parser.add_argument("--test", type=int, required=True, help="test texts a class")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True, help="transformers directory; each text must have tokens")
    parser.add_argument("--context-length", type=int, required=True, help="tokens a text is cut to")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(arguments: Namespace) -> None:
    rows, source = read_rows(arguments.rows, arguments.label, arguments.balanced_by)
    texts = class_texts(rows, arguments.classes, arguments.train, arguments.test, arguments.seed)
    drawn = [text for split in texts.values() for group in split.values() for text in group]
    check_texts(drawn, load_tokenizer(arguments.tokenizer), arguments.context_length)
    write_json(arguments.out, {"source": source, **texts})
