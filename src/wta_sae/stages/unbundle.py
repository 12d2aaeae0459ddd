"""Unpacks a bundle into a run's folder."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.bundles import extract_bundle


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, required=True, help="zip file of `bundle`")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")


def run(arguments: Namespace) -> None:
    print(f"{extract_bundle(arguments.bundle, arguments.out):,} files")
