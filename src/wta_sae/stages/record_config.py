"""Writes the configuration of a run as the workflow resolved it, for the numbers in the paper."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_json


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--values", type=json.loads, required=True, help="as JSON")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(arguments: Namespace) -> None:
    write_json(arguments.out, arguments.values)
