"""Writes the paper's section on true features: why WTA loses, as this run decides it; nothing for a run without them."""

from argparse import ArgumentParser, Namespace

from wta_sae.machine.files import write_text
from wta_sae.presentation.prose import truth_section
from wta_sae.stages.report_inputs import add_report_arguments, read_run


def add_arguments(parser: ArgumentParser) -> None:
    add_report_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    write_text(arguments.out, truth_section(arguments.template, read_run(arguments)))
