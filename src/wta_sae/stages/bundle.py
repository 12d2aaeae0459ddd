"""Packs a finished run into one file, of which its tables, figures, pages and PDF are made elsewhere.

Without a model, activations or weights.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.bundles import write_bundle


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="JSON of record-config, in the run's folder")
    parser.add_argument(
        "--parts", type=Path, nargs="+", required=True, help="files and folders in it; of an SAE all but its weights"
    )
    parser.add_argument("--out", type=Path, required=True, help="zip file to write")


def run(arguments: Namespace) -> None:
    count = write_bundle(arguments.out, arguments.config.parent, [arguments.config, *arguments.parts])
    print(f"{count:,} files, {arguments.out.stat().st_size / 1e6:.1f} MB")
