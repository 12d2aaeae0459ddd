"""Joins the metrics of many SAEs into one tidy table: a row a run, SAE, nominal rate, inference rule and metric."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.machine.files import write_text
from wta_sae.metrics.collection import collect_metrics


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--run", dest="run_name", required=True, help="name of the run")
    parser.add_argument("--saes", type=Path, nargs="+", required=True, help="SAE directories")
    parser.add_argument("--foreign", nargs="*", default=[], help="names of those among them that were not trained here")
    parser.add_argument("--metric-files", type=Path, nargs="+", required=True, help="JSON files of the evaluate stages")
    parser.add_argument("--out", type=Path, required=True, help="CSV to write")


def run(arguments: Namespace) -> None:
    table = collect_metrics(arguments.run_name, arguments.saes, arguments.metric_files, arguments.foreign)
    write_text(arguments.out, table.to_csv(index=False))
