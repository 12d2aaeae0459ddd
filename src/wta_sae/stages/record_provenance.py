"""Writes down what a run's results are of: configuration, text, models, SAEs by their checksums, devices, versions, commits."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import read_json, write_json
from wta_sae.sae.run_provenance import run_provenance


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="JSON of record-config")
    parser.add_argument("--saes", type=Path, nargs="+", required=True, help="SAE directories of train-sae")
    parser.add_argument("--imported", type=Path, nargs="*", default=[], help="SAE directories of import-sae")
    parser.add_argument("--token-files", type=Path, nargs="+", default=[], help="of tokenize")
    parser.add_argument("--text-files", type=Path, nargs="+", default=[], help="labelled texts")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(arguments: Namespace) -> None:
    of_run = read_json(arguments.config), arguments.saes, arguments.imported, arguments.token_files, arguments.text_files
    write_json(arguments.out, run_provenance(*of_run))
