"""Writes Table 2: the published work's author contributions."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_text
from wta_sae.presentation.notation import LATEX
from wta_sae.presentation.published import read_contributions
from wta_sae.presentation.templates import render
from wta_sae.stages.template_arguments import add_template_arguments


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--contributions", type=Path, required=True, help="YAML file")
    add_template_arguments(parser, out="LaTeX file")


def run(arguments: Namespace) -> None:
    contributions = read_contributions(arguments.contributions)
    write_text(arguments.out, render(arguments.template, LATEX, contributions=contributions))
