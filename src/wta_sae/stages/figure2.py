"""Draws Figure 2: KL score, explained variance, L1 and fraction alive over the sparsity rate."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.presentation.settings import papers_model, scale_of
from wta_sae.presentation.sweep_figure import write_figure2
from wta_sae.stages.report_inputs import add_report_inputs, read_report_inputs


def add_arguments(parser: ArgumentParser) -> None:
    add_report_inputs(parser)
    parser.add_argument("--pdf", type=Path, required=True)
    parser.add_argument("--png", type=Path, required=True)


def run(arguments: Namespace) -> None:
    config, metrics, published = read_report_inputs(arguments)
    same_model = papers_model(config, published)
    write_figure2(arguments.pdf, arguments.png, metrics, published, scale_of(config).k, same_model)
