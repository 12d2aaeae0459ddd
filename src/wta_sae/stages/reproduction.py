"""Writes the report on the paper's text against its released code: what each divergence does to this run's numbers."""

from argparse import ArgumentParser, Namespace

from wta_sae.presentation.reproduction_report import write_reproduction
from wta_sae.stages.report_inputs import add_report_arguments, read_report_inputs


def add_arguments(parser: ArgumentParser) -> None:
    add_report_arguments(parser, out="Markdown file")


def run(arguments: Namespace) -> None:
    write_reproduction(arguments.out, *read_report_inputs(arguments))
