"""Writes the report on the paper's text against its released code: what each divergence does to this run's numbers."""

from argparse import ArgumentParser, Namespace

from wta_sae.machine.files import write_text
from wta_sae.presentation.prose import reproduction_report
from wta_sae.stages.report_inputs import add_report_arguments, read_run


def add_arguments(parser: ArgumentParser) -> None:
    add_report_arguments(parser, out="Markdown file")


def run(arguments: Namespace) -> None:
    write_text(arguments.out, reproduction_report(arguments.template, read_run(arguments)))
