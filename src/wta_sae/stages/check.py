"""Tells whether the demo's numbers came out as they should: line by line what is off, by how much, and what it probably means.

A table of fewer SAEs, as results/demo/table1.csv, is checked as far as it goes.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pandas as pd
import yaml

from wta_sae.base.errors import UserError
from wta_sae.machine.files import read_json
from wta_sae.machine.provenance import REPOSITORY
from wta_sae.metrics.causes import differences_of_run, probable_causes
from wta_sae.metrics.expected import deviations, read_expected
from wta_sae.presentation.run_metrics import read_metrics


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--metrics", type=Path, default=Path("results/demo/metrics.csv"), help="CSV of collect-metrics (the demo's unless told)"
    )
    parser.add_argument(
        "--expected",
        type=Path,
        default=REPOSITORY / "tests/expected/demo.csv",
        help="numbers and tolerances (the demo's unless told)",
    )


def run(arguments: Namespace) -> None:
    expected = read_expected(arguments.expected)
    metrics = read_metrics(arguments.metrics)
    found = deviations(pd.concat([metrics.table, metrics.synthetic.table]), expected)
    missing, off = ([one for one in found if (one.value is None) is absent] for absent in (True, False))
    compared = len(expected) - len(missing)
    if not compared:
        raise UserError(f"{arguments.metrics}: none of the {len(expected)} numbers of {arguments.expected} is in it")
    for one in off:
        print(
            f"{one.sae} {one.inference or 'weights'} {one.metric}: {one.value:.6g}, expected {one.expected:.6g} "
            f"\N{PLUS-MINUS SIGN} {one.tolerance:.2g}, off by {one.tolerances:.1f} tolerances"
        )
    lacking = f"; {len(missing)} more are not in {arguments.metrics}" if missing else ""
    print(f"{compared - len(off)} of {compared} numbers are within their tolerances{lacking}")
    if off:
        for cause in (*_differences(arguments.metrics), *probable_causes(off, compared)):
            print(f"Probably: {cause}")
        raise UserError(f"{len(off)} of {compared} numbers are off")


def _differences(metrics: Path) -> list[str]:
    file = metrics.with_name("provenance.json")
    provenance = read_json(file) if file.is_file() else None
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    pins = dict(line.split("==") for line in (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").split())
    return list(differences_of_run(provenance, config, pins))
