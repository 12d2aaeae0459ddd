"""Metrics of many SAEs in one tidy table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from wta_sae.base.errors import UserError
from wta_sae.machine.files import read_json
from wta_sae.metrics.columns import COLUMNS, DESCRIPTION, FOREIGN
from wta_sae.sae.saelens_config import read_metadata, read_saelens_config
from wta_sae.variants.registry import variant_named


def collect_metrics(run: str, saes: Sequence[Path], metrics: Sequence[Path], foreign: Sequence[str] = ()) -> pd.DataFrame:
    """The metrics that docs/metrics.md describes, some of which depend on the size of the evaluation's batches.

    One row a (SAE, nominal rate, inference rule, metric), sorted; columns as in COLUMNS.

    saes: directories with a cfg.json; foreign: the names of those that another run or program trained, of which nothing but
    their k is known. metrics: files that the evaluate stages wrote. Rates that share one SAE
    have a row each. Metrics that depend on no inference rule leave that column empty; SAEs that are no ablation leave theirs.
    A metric that is undefined has an empty value. Beside each rule's `l0` stands `l0_budget`, what training allowed.
    """
    settings = {
        directory.name: _of_foreign(directory) if directory.name in foreign else read_metadata(directory)
        for directory in map(Path, saes)
    }
    rows = []
    for path in metrics:
        content = read_json(path)
        for record in content if isinstance(content, list) else [content]:
            if record.get("sae") not in settings:
                raise UserError(f"{path}: is of the SAE {record.get('sae')!r}, which is not among: {', '.join(settings)}")
            rows += _rows(run, settings[record["sae"]], record)
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"seed": "Int64"})  # a foreign SAE has none
    return table.sort_values(COLUMNS[1:-1], ignore_index=True)


def _of_foreign(directory: Path) -> dict[str, Any]:
    return {"variant": FOREIGN, "k": read_saelens_config(directory).k, "rates": [], "seed": None}


def _rows(run: str, metadata: dict[str, Any], record: dict[str, Any]) -> list[dict[str, Any]]:
    values = dict.fromkeys(record.get("undefined", {})) | {key: record[key] for key in record if key not in DESCRIPTION}
    if "l0" in values and "l0_budget" in metadata:
        values["l0_budget"] = metadata["l0_budget"]
    per_token = metadata["variant"] == FOREIGN or variant_named(metadata["variant"]).budget == "k"
    common = {
        "run": run,
        "sae": record["sae"],
        "variant": metadata["variant"],
        "k_per_token": metadata["k"] if per_token else None,
        "k_per_latent": None if per_token else metadata["k"],
        "seed": metadata["seed"],
        "zipf_exponent": metadata.get("synthetic", {}).get("zipf"),
        "ablation": metadata.get("ablation"),
        "inference": record["inference"],
    }
    return [
        common | {"sparsity_rate": rate, "metric": name, "value": value}
        for rate in record.get("rates", metadata["rates"]) or [None]
        for name, value in values.items()
    ]
