"""Collects documents from a dataset of the hub, or a dataset directory on disk, split into train and evaluation."""

from argparse import ArgumentParser, Namespace

from wta_sae.stages.collected_text import add_document_arguments, write_collected
from wta_sae.text.hub_datasets import HubDataset, at_commit, hub_passages


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--name", required=True)
    parser.add_argument("--configuration", help="of a dataset that has several")
    parser.add_argument("--revision", required=True, help="branch, tag or commit")
    parser.add_argument("--split", default="train")
    parser.add_argument("--column", default="text")
    parser.add_argument("--data-files", nargs="+", default=[], help="of the dataset, where it does not say itself")
    parser.add_argument("--characters", type=int, required=True, help="stop once the documents hold so many")
    add_document_arguments(parser)


def run(arguments: Namespace) -> None:
    dataset = HubDataset(
        arguments.name, arguments.revision, arguments.configuration, arguments.split, tuple(arguments.data_files)
    )
    dataset = at_commit(dataset, arguments.out, "text.hub.name")
    description = {"source": "hub", **dataset.description(), "column": arguments.column}
    write_collected(arguments, hub_passages(dataset, arguments.column), description, arguments.characters)
