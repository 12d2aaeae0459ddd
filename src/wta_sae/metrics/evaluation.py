"""What every metric family returns.

Shape suffix: F latents.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field

from torch import Tensor

from wta_sae.base.errors import UserError


@dataclass(frozen=True)
class Evaluation:
    """The numbers of one SAE under one inference rule. Raises UserError for a number that is not finite.

    values: name -> number, or None where it is undefined for this input (0/0). metrics: those that are defined. per_latent:
    name -> (F). undefined: name -> why, of what has no number here, or not in each of the sets that it is a mean over.
    """

    values: InitVar[Mapping[str, float | None]]
    per_latent: dict[str, Tensor] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(init=False)

    def __post_init__(self, values: Mapping[str, float | None]) -> None:
        metrics = {name: float(value) for name, value in values.items() if value is not None}
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise UserError(f"metrics: {name} is {value}; what the SAE or the language model computes is beyond float32")
        for name, values_F in self.per_latent.items():
            if not values_F.isfinite().all():
                raise UserError(f"metrics: {name} is not finite for latent {int((~values_F.isfinite()).nonzero()[0])}")
        undefined = {name: "0/0" for name, value in values.items() if value is None}
        object.__setattr__(self, "metrics", metrics)
        object.__setattr__(self, "undefined", undefined | self.undefined)

    def __or__(self, other: "Evaluation") -> "Evaluation":
        """Both together; the other's value where both have one."""
        return Evaluation(self.metrics | other.metrics, self.per_latent | other.per_latent, self.undefined | other.undefined)


def mean_evaluation(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Each metric's mean over the evaluations (datasets, SCR pairs) in which it is defined; nothing per latent.

    Source: SAEBench `average_results_dictionaries`.
    """
    names = dict.fromkeys(name for evaluation in evaluations for name in (*evaluation.metrics, *evaluation.undefined))
    values = {name: [e.metrics[name] for e in evaluations if name in e.metrics] for name in names}
    undefined = {}
    for name, found in values.items():
        if reasons := dict.fromkeys(e.undefined.get(name, "not measured") for e in evaluations if name not in e.metrics):
            undefined[name] = f"in {len(evaluations) - len(found)} of {len(evaluations)} sets: {', '.join(reasons)}"
    return Evaluation({name: math.fsum(found) / len(found) for name, found in values.items() if found}, undefined=undefined)
