"""The files that the `evaluate` stages write."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from wta_sae.machine.files import write_json
from wta_sae.machine.tensor_files import write_tensors
from wta_sae.metrics.evaluation import Evaluation
from wta_sae.sae.differences import Differences
from wta_sae.stages.sae_inputs import Inputs


def of_inputs(
    sae: str, inputs: Inputs, families: Sequence[Mapping[str, Evaluation]]
) -> tuple[dict[str, Evaluation], list[dict[str, Any]]]:
    """All families' metrics of each label of `inputs.saes`, and a record for each."""
    if not families:
        return {}, []
    results = {label: reduce(or_, (family[label] for family in families)) for label in inputs.saes}
    records = [
        record(sae, inputs.saes[label].inference, evaluation, inputs.rates[label], inputs.differences)
        for label, evaluation in results.items()
    ]
    return results, records


def record(
    sae: str, rule: str | None, evaluation: Evaluation, rates: Sequence[float] = (), differences: Differences | None = None
) -> dict[str, Any]:
    """The metrics of an SAE under one inference rule, beside what they are of (see `wta_sae.metrics.columns.DESCRIPTION`).

    rule: None where the metrics depend on none. rates: the nominal ones that they hold for, where not for all of the SAE's.
    differences: in what the SAE was trained otherwise than it was evaluated.
    """
    beside = {"rates": list(rates), "undefined": evaluation.undefined, "differences": differences}
    return {"sae": sae, "inference": rule, **{key: value for key, value in beside.items() if value}, **evaluation.metrics}


def write_records(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """One flat object for one record, a list for several."""
    write_json(path, records if len(records) > 1 else records[0])


def write_latents(path: Path, sae: str, results: Mapping[str | None, Evaluation]) -> None:
    """The per-latent arrays (F), named LABEL.METRIC, or METRIC where they depend on no inference rule."""
    write_tensors(
        path,
        {
            f"{label}.{name}" if label else name: values
            for label, evaluation in results.items()
            for name, values in evaluation.per_latent.items()
        },
        {"sae": sae},
    )
