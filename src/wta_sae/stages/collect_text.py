"""Collects documents from docstrings, files or the hub, de-duplicated and split into train and evaluation."""

import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path

from wta_sae.plan.own_files import KINDS
from wta_sae.text.docstrings import docstring_passages, package_versions
from wta_sae.text.documents import as_documents, counted, lopsided, write_documents
from wta_sae.text.sources import HubDataset, at_commit, file_passages, hub_passages


def add_arguments(parser: ArgumentParser) -> None:
    sources = parser.add_subparsers(dest="source", required=True)
    docstrings = sources.add_parser("docstrings", help="the documentation of installed packages")
    docstrings.add_argument("--packages", nargs="+", required=True, help="as they are imported")
    docstrings.add_argument("--workers", type=int, default=1, help="processes that read")
    files = sources.add_parser("files", help="your own text")
    files.add_argument("--paths", nargs="+", required=True, help=f"{', '.join(KINDS)} files, or glob patterns")
    files.add_argument("--column", default="text", help="that holds the text, of all but .txt")
    hub = sources.add_parser("hub", help="a dataset of the hub, or a dataset directory on disk")
    hub.add_argument("--name", required=True)
    hub.add_argument("--configuration", help="of a dataset that has several")
    hub.add_argument("--revision", required=True, help="branch, tag or commit")
    hub.add_argument("--split", default="train")
    hub.add_argument("--column", default="text")
    hub.add_argument("--data-files", nargs="+", default=[], help="of the dataset, where it does not say itself")
    hub.add_argument("--characters", type=int, required=True, help="stop once the documents hold so many")
    for source in (docstrings, files, hub):
        source.add_argument("--evaluation-share", type=float, required=True, help="of the documents")
        source.add_argument("--out", type=Path, required=True, help="Parquet file to write")


def run(arguments: Namespace) -> None:
    characters = None
    if arguments.source == "docstrings":
        passages = docstring_passages(arguments.packages, arguments.workers)
        description = {"source": "docstrings", "packages": package_versions(arguments.packages)}
    elif arguments.source == "files":
        passages = file_passages(arguments.paths, arguments.column)
        description = {"source": "files", "paths": arguments.paths, "column": arguments.column}
    else:
        dataset = HubDataset(
            arguments.name, arguments.revision, arguments.configuration, arguments.split, tuple(arguments.data_files)
        )
        dataset = at_commit(dataset, arguments.out, "text.hub.name")
        passages = hub_passages(dataset, arguments.column)
        description = {"source": "hub", **dataset.description(), "column": arguments.column}
        characters = arguments.characters
    left_out: Counter[str] = Counter()
    documents = as_documents(passages, arguments.evaluation_share, characters, left_out)
    written = write_documents(arguments.out, documents, description, left_out)
    for group, number in sorted(written["documents"].items()):
        print(f"{group}: {number:,} documents, {written['characters'][group]:,} characters")
    print(counted(left_out))
    for line in lopsided(written):
        print(f"warning: {line}", file=sys.stderr)
