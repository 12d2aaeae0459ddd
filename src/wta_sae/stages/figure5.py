"""Draws Figure 5: whether latents that are used alike are found again with another seed, and how often latents are used."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.presentation.drawing import save_figure
from wta_sae.presentation.outlook_figure import draw_figure5
from wta_sae.presentation.outlook_metrics import Outlook
from wta_sae.presentation.run_metrics import read_metrics


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--rate", type=float, required=True, help="nominal sparsity rate at which WTA's budget is k")
    parser.add_argument("--k", type=int, required=True, help="active latents a token at which all are compared")
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)


def run(arguments: Namespace) -> None:
    outlook = Outlook(read_metrics(arguments.metrics), arguments.rate, arguments.k)
    save_figure(draw_figure5(outlook), arguments.pdf, arguments.png)
