"""Reads labelled texts of your own files: the rows, their labels, and which are for testing."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path

from wta_sae.plan.own_files import LABELLED_KINDS
from wta_sae.text.documents import counted
from wta_sae.text.labelled_files import file_rows
from wta_sae.text.labelled_rows import write_rows


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--paths", nargs="+", required=True, help=f"{', '.join(LABELLED_KINDS)} files, or glob patterns")
    parser.add_argument("--text", required=True, help="column")
    parser.add_argument("--labels", nargs="+", required=True, help="columns to keep")
    parser.add_argument("--seed", type=int, required=True, help="of the order of texts")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")


def run(arguments: Namespace) -> None:
    left_out: Counter[str] = Counter()
    rows = file_rows(arguments.paths, arguments.text, arguments.labels, arguments.seed, left_out)
    description = {"source": "files"} | {key: getattr(arguments, key) for key in ("paths", "text", "labels")}
    print(f"{write_rows(arguments.out, rows, description, left_out):,} labelled texts; {counted(left_out)}")
