"""Draws labelled texts for SCR: a concept is one of two classes, and a spurious attribute goes with it."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_json
from wta_sae.text.labelled import quadrant_texts
from wta_sae.text.labelled_rows import read_rows
from wta_sae.text.tokenizer import check_texts, load_tokenizer


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--rows", type=Path, required=True, help="Parquet file of label docstrings, label files or fetch-labelled-texts"
    )
    parser.add_argument("--concept", required=True, help="column of the concepts")
    parser.add_argument("--concepts", nargs=2, required=True, help="the positive and the negative one")
    parser.add_argument("--attribute", required=True, help="column of the attributes")
    parser.add_argument("--attributes", nargs=2, required=True, help="the positive and the negative one")
    parser.add_argument("--train", type=int, required=True, help="training texts a quadrant; of two quadrants twice as many")
    parser.add_argument("--test", type=int, required=True, help="test texts a quadrant; likewise")
    parser.add_argument("--tokenizer", type=Path, required=True, help="transformers directory; each text must have tokens")
    parser.add_argument("--context-length", type=int, required=True, help="tokens a text is cut to")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(arguments: Namespace) -> None:
    rows, source = read_rows(arguments.rows, arguments.concept, arguments.attribute)
    concepts, attributes = tuple(arguments.concepts), tuple(arguments.attributes)
    texts = quadrant_texts(rows, concepts, attributes, arguments.train, arguments.test)
    drawn = [text for split in texts.values() for group in split.values() for text in group]
    check_texts(drawn, load_tokenizer(arguments.tokenizer), arguments.context_length)
    write_json(arguments.out, {"source": source, **texts})
