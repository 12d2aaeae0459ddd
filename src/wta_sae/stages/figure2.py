"""Draws Figure 2: KL score, explained variance, L1 and fraction alive over the sparsity rate."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.presentation.drawing import save_figure
from wta_sae.presentation.sweep_figure import draw_figure2
from wta_sae.stages.report_inputs import add_report_inputs, read_run


def add_arguments(parser: ArgumentParser) -> None:
    add_report_inputs(parser)
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)


def run(arguments: Namespace) -> None:
    one = read_run(arguments)
    save_figure(draw_figure2(one.metrics, one.published, one.k, one.papers_model()), arguments.pdf, arguments.png)
