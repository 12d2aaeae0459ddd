"""The files that the `evaluate` stages write."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wta_sae.files import write_json, write_tensors
from wta_sae.metrics.evaluation import Evaluation


def write_results(path: Path, sae_directory: Path, results: Mapping[str | None, Evaluation]) -> None:
    """One flat object for one inference rule, a list of them for several; None: the metrics depend on no rule."""
    records: list[dict[str, Any]] = [
        {"sae": sae_directory.name, "inference": rule, **evaluation.metrics} for rule, evaluation in results.items()
    ]
    write_json(path, records if len(records) > 1 else records[0])


def write_latents(path: Path, results: Mapping[str | None, Evaluation]) -> None:
    """The per-latent arrays (F), named RULE.METRIC, or METRIC where they depend on no rule."""
    write_tensors(
        path,
        {
            f"{rule}.{name}" if rule else name: values
            for rule, evaluation in results.items()
            for name, values in evaluation.per_latent.items()
        },
    )
