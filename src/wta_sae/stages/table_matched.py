"""Writes the table of the comparison at equal L0: every variant of the run under the same three rules."""

from argparse import ArgumentParser, Namespace

from wta_sae.machine.files import write_text
from wta_sae.presentation.run_metrics import read_metrics
from wta_sae.presentation.tables import table_matched
from wta_sae.stages.equal_l0_arguments import add_equal_l0_arguments
from wta_sae.stages.template_arguments import add_template_arguments


def add_arguments(parser: ArgumentParser) -> None:
    add_equal_l0_arguments(parser)
    add_template_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    metrics = read_metrics(arguments.metrics)
    write_text(arguments.out, table_matched(arguments.template, metrics, arguments.rate, arguments.k))
