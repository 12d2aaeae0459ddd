"""What the stages share that write from a whole run: its configuration, its metrics, and the paper's numbers."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import pandas as pd

from wta_sae.files import read_json
from wta_sae.presentation.metrics_table import read_metrics, read_published


def add_report_arguments(parser: ArgumentParser, out: str) -> None:
    """out: what the stage writes, for its help."""
    parser.add_argument("--config", type=Path, required=True, help="JSON of record-config")
    parser.add_argument("--metrics", type=Path, required=True, help="CSV of collect-metrics")
    parser.add_argument("--published", type=Path, required=True, help="the paper's numbers")
    parser.add_argument("--out", type=Path, required=True, help=f"{out} to write")


def read_report_inputs(arguments: Namespace) -> tuple[dict[str, Any], pd.DataFrame, dict[str, Any]]:
    """Configuration, metrics, and the paper's numbers."""
    return read_json(arguments.config), read_metrics(arguments.metrics), read_published(arguments.published)
