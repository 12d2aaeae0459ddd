"""Trains a byte-level BPE tokenizer, with Pythia's special tokens, on the training documents."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.text.documents import TRAIN, document_texts
from wta_sae.text.tokenizer_training import train_tokenizer


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--documents", type=Path, required=True, help="Parquet file of collect-text")
    parser.add_argument("--vocabulary", type=int, required=True, help="tokens in all")
    parser.add_argument("--out", type=Path, required=True, help="directory to write")


def run(arguments: Namespace) -> None:
    train_tokenizer(document_texts(arguments.documents, TRAIN), arguments.vocabulary, arguments.out)
