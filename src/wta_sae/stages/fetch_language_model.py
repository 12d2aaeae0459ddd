"""Fetches a language model's config, tokenizer and safetensors weights from the hub, at a pinned revision."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.hub import fetch_model


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="on the hub, as in EleutherAI/pythia-410m-deduped")
    parser.add_argument("--revision", required=True, help="branch, tag or commit")
    parser.add_argument("--out", type=Path, required=True, help="directory to write")


def run(arguments: Namespace) -> None:
    fetch_model(arguments.name, arguments.revision, arguments.out)
