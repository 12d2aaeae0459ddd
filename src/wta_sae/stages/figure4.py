"""Draws Figure 4: what each variant finds of true features that are known, over how unequally often they fire."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.presentation.drawing import save_figure
from wta_sae.presentation.run_metrics import read_metrics
from wta_sae.presentation.truth_figure import draw_figure4


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)


def run(arguments: Namespace) -> None:
    save_figure(draw_figure4(read_metrics(arguments.metrics).synthetic), arguments.pdf, arguments.png)
