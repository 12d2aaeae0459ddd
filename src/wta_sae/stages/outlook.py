"""Writes the paper's section on what it only proposes, as this run decides it."""

from argparse import ArgumentParser, Namespace

from wta_sae.machine.files import write_text
from wta_sae.presentation.prose import outlook_section
from wta_sae.stages.report_inputs import add_report_arguments, read_run


def add_arguments(parser: ArgumentParser) -> None:
    add_report_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    write_text(arguments.out, outlook_section(arguments.template, read_run(arguments)))
