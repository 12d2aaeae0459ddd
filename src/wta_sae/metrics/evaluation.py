"""What every metric family returns.

Shape suffix: F latents.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Evaluation:
    """The numbers of one SAE under one inference rule.

    metrics: name -> finite number. A metric that is undefined for this input (0/0) is left out, never NaN.
    per_latent: name -> (F).
    """

    metrics: dict[str, float]
    per_latent: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        defined = {name: float(value) for name, value in self.metrics.items() if math.isfinite(value)}
        object.__setattr__(self, "metrics", defined)

    def __or__(self, other: "Evaluation") -> "Evaluation":
        """Both together; the other's value where both have one."""
        return Evaluation(self.metrics | other.metrics, self.per_latent | other.per_latent)


def mean_evaluation(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Each metric's mean over the evaluations (datasets, SCR pairs) in which it is defined; nothing per latent.

    Source: SAEBench `average_results_dictionaries`.
    """
    names = dict.fromkeys(name for evaluation in evaluations for name in evaluation.metrics)
    values = {name: [e.metrics[name] for e in evaluations if name in e.metrics] for name in names}
    return Evaluation({name: math.fsum(found) / len(found) for name, found in values.items()})
