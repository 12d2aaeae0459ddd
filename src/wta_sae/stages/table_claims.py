"""Writes the table of the paper's conclusions, each decided on this run."""

from argparse import ArgumentParser, Namespace

from wta_sae.presentation.claims_table import write_table_claims
from wta_sae.stages.report import add_report_arguments, read_report_inputs


def add_arguments(parser: ArgumentParser) -> None:
    add_report_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    write_table_claims(arguments.out, *read_report_inputs(arguments))
