"""Writes every number of the paper's prose as a LaTeX macro."""

from argparse import ArgumentParser, Namespace

from wta_sae.presentation.numbers import write_numbers
from wta_sae.stages.report import add_report_arguments, read_report_inputs


def add_arguments(parser: ArgumentParser) -> None:
    add_report_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    write_numbers(arguments.out, *read_report_inputs(arguments))
