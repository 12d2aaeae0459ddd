"""Joins what is recorded beside each SAE of a run: the devices, precisions, threads, versions and commits behind it."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_json
from wta_sae.sae.joint_provenance import joint_provenance


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--saes", type=Path, nargs="+", required=True, help="SAE directories")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(arguments: Namespace) -> None:
    write_json(arguments.out, joint_provenance(arguments.saes))
