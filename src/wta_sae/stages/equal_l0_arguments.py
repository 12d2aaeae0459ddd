"""What the stages share that show SAEs at equal L0."""

from argparse import ArgumentParser
from pathlib import Path


def add_equal_l0_arguments(parser: ArgumentParser) -> None:
    """The table of metrics, and which SAEs of it are compared."""
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--rate", type=float, required=True, help="nominal sparsity rate at which WTA's budget is k")
    parser.add_argument("--k", type=int, required=True, help="active latents a token at which all are compared")
