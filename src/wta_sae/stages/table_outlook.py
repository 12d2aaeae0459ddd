"""Writes the table of what tells all variants apart at equal L0: each read out in the form of its own rule."""

from argparse import ArgumentParser, Namespace

from wta_sae.machine.files import write_text
from wta_sae.presentation.outlook_metrics import Outlook
from wta_sae.presentation.run_metrics import read_metrics
from wta_sae.presentation.tables import table_outlook
from wta_sae.stages.equal_l0_arguments import add_equal_l0_arguments
from wta_sae.stages.template_arguments import add_template_arguments


def add_arguments(parser: ArgumentParser) -> None:
    add_equal_l0_arguments(parser)
    add_template_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    outlook = Outlook(read_metrics(arguments.metrics), arguments.rate, arguments.k)
    write_text(arguments.out, table_outlook(arguments.template, outlook))
