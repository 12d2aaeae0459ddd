"""Writes Table 1: WTA under each inference rule against BatchTopK and TopK."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_text
from wta_sae.presentation.published import read_published
from wta_sae.presentation.run_metrics import read_metrics
from wta_sae.presentation.tables import table1
from wta_sae.stages.template_arguments import add_template_arguments


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--published", type=Path, required=True, help="the paper's numbers; its rows are the table's")
    parser.add_argument("--rate", type=float, required=True, help="nominal sparsity rate of the WTA SAE")
    parser.add_argument("--k", type=int, required=True, help="active latents a token of the baselines")
    add_template_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    metrics, published = read_metrics(arguments.metrics), read_published(arguments.published)
    write_text(arguments.out, table1(arguments.template, metrics, published, arguments.rate, arguments.k))
