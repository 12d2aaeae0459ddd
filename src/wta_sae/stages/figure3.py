"""Draws Figure 3: what of explained variance and CE loss score is lost at the L0 reached, for every readout."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.presentation.drawing import save_figure
from wta_sae.presentation.frontier_figure import draw_figure3
from wta_sae.presentation.run_metrics import read_metrics


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--k", type=int, required=True, help="active latents a token of the matched comparison, marked")
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)


def run(arguments: Namespace) -> None:
    save_figure(draw_figure3(read_metrics(arguments.metrics), arguments.k), arguments.pdf, arguments.png)
