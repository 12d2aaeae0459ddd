"""Fetches the rows of one labelled dataset from the hub, or from a directory on disk: texts, their split and their labels."""

from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path

from wta_sae.text.documents import counted
from wta_sae.text.hub_datasets import HubDataset, at_commit
from wta_sae.text.labelled_hub import KEY, FirstTexts, first_rows, split_rows
from wta_sae.text.labelled_rows import write_rows


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="of the dataset on the hub, or a directory")
    parser.add_argument("--revision", required=True, help="branch, tag or commit")
    parser.add_argument("--configuration", help="of a dataset that has several")
    parser.add_argument("--data-files", nargs="+", default=[], help="of the dataset, where it does not say itself")
    parser.add_argument("--splits", nargs="+", required=True, help="for training and testing, or the only one")
    parser.add_argument("--text", required=True, help="column")
    parser.add_argument("--labels", nargs="+", required=True, help="columns to keep")
    only = parser.add_argument_group("of a dataset with one split, whose first rows are read")
    only.add_argument("--classes", nargs="+", default=[], help="labels to keep")
    only.add_argument("--number", type=int, help="read until each class has more texts than this")
    only.add_argument("--longer-than", type=int, default=-1, metavar="CHARACTERS", help="a text that is kept")
    only.add_argument("--skip-characters", type=int, default=0, help="at the start of each text")
    only.add_argument("--languages", nargs="+", default=[], metavar="CLASS=CONFIGURATION", help="of a parallel corpus")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")


def run(arguments: Namespace) -> None:
    dataset = HubDataset(
        arguments.name, arguments.revision, arguments.configuration, arguments.splits[0], tuple(arguments.data_files)
    )
    dataset = at_commit(dataset, arguments.out, f"{KEY}.{arguments.out.stem}.name")
    left_out: Counter[str] = Counter()
    if len(arguments.splits) == 1:
        languages = dict(item.split("=", 1) for item in arguments.languages)
        wanted = FirstTexts(
            tuple(arguments.classes), arguments.number, arguments.skip_characters, arguments.longer_than, languages
        )
        rows = first_rows(dataset, arguments.text, arguments.labels[0], wanted, left_out)
    else:
        rows = split_rows(dataset, tuple(arguments.splits), arguments.text, arguments.labels, left_out)
    keys = ("splits", "text", "labels", "languages", "skip_characters", "longer_than")
    description = {"source": "hub", **dataset.description()} | {key: getattr(arguments, key) for key in keys}
    print(f"{write_rows(arguments.out, rows, description, left_out):,} labelled texts; {counted(left_out)}")
