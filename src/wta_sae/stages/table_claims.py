"""Writes the table of the paper's conclusions, each decided on this run."""

from argparse import ArgumentParser, Namespace

from wta_sae.machine.files import write_text
from wta_sae.presentation.claims import paper_claims
from wta_sae.presentation.claims_table import table_claims
from wta_sae.presentation.settings import scale_of
from wta_sae.stages.report_inputs import add_report_arguments, read_report_inputs


def add_arguments(parser: ArgumentParser) -> None:
    add_report_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    config, metrics, published = read_report_inputs(arguments)
    write_text(arguments.out, table_claims(paper_claims(scale_of(config), metrics, published)))
