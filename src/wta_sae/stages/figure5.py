"""Draws Figure 5: whether latents that are used alike are found again with another seed, and how often latents are used."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.presentation.drawing import save_figure
from wta_sae.presentation.outlook_figure import draw_figure5
from wta_sae.presentation.outlook_metrics import Outlook
from wta_sae.presentation.run_metrics import read_metrics
from wta_sae.stages.equal_l0_arguments import add_equal_l0_arguments


def add_arguments(parser: ArgumentParser) -> None:
    add_equal_l0_arguments(parser)
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)


def run(arguments: Namespace) -> None:
    outlook = Outlook(read_metrics(arguments.metrics), arguments.rate, arguments.k)
    save_figure(draw_figure5(outlook), arguments.pdf, arguments.png)
