"""What the stages share that write from a whole run: its configuration, its metrics, and the paper's numbers."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import pandas as pd

from wta_sae.base.errors import UserError
from wta_sae.machine.files import read_json
from wta_sae.presentation.metrics_table import read_metrics
from wta_sae.presentation.published import read_published


def add_report_arguments(parser: ArgumentParser, out: str) -> None:
    """Its inputs, and out: what the stage writes, for its help."""
    add_report_inputs(parser)
    parser.add_argument("--out", type=Path, required=True, help=f"{out} to write")


def add_report_inputs(parser: ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="JSON of record-config")
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--published", type=Path, required=True, help="the paper's numbers")


def read_report_inputs(arguments: Namespace) -> tuple[dict[str, Any], pd.DataFrame, dict[str, Any]]:
    """Configuration, metrics, and the paper's numbers. Raises UserError where the first two are of different runs."""
    config, metrics = read_json(arguments.config), read_metrics(arguments.metrics)
    if other := sorted(set(metrics["run"].astype(str)) - {str(config.get("run"))}):
        raise UserError(
            f"{arguments.metrics}: is of the run {other[0]!r}, but {arguments.config} of {config.get('run')!r}; give both of "
            "one run"
        )
    return config, metrics, read_published(arguments.published)
