"""What the stages share that fill a template."""

from argparse import ArgumentParser
from pathlib import Path


def add_template_arguments(parser: ArgumentParser, out: str) -> None:
    """Its file, and out: what the stage writes, for its help."""
    parser.add_argument("--template", type=Path, required=True, help="its words; what the template includes lies beside it")
    parser.add_argument("--out", type=Path, required=True, help=f"{out} to write")
