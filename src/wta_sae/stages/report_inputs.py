"""What the stages share that write from a whole run: its configuration, its metrics, and the paper's numbers."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from wta_sae.base.errors import UserError
from wta_sae.machine.files import read_json
from wta_sae.presentation.published import read_published
from wta_sae.presentation.run import Run
from wta_sae.presentation.run_metrics import read_metrics
from wta_sae.stages.template_arguments import add_template_arguments


def add_report_arguments(parser: ArgumentParser, out: str) -> None:
    """Its inputs, its template, and out: what the stage writes, for its help."""
    add_report_inputs(parser)
    add_template_arguments(parser, out)


def add_report_inputs(parser: ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="JSON of record-config")
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--published", type=Path, required=True, help="the paper's numbers")


def read_run(arguments: Namespace) -> Run:
    """Raises UserError where configuration and metrics are of different runs."""
    config, metrics = read_json(arguments.config), read_metrics(arguments.metrics)
    if other := sorted(set(metrics.table["run"].astype(str)) - {str(config.get("run"))}):
        raise UserError(
            f"{arguments.metrics}: is of the run {other[0]!r}, but {arguments.config} of {config.get('run')!r}; give both of "
            "one run"
        )
    return Run(config, metrics, read_published(arguments.published))
