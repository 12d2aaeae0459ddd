"""A run as the sections of the report see it."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

from wta_sae.plan.papers_variants import WTA
from wta_sae.plan.winners import winners_per_latent
from wta_sae.presentation.estimates import Estimate, readout_estimate
from wta_sae.presentation.metrics_table import rates_sharing_an_sae, value, winners_by_rate
from wta_sae.presentation.papers_readouts import WTA_RELEASED
from wta_sae.presentation.settings import Scale, scale_of
from wta_sae.variants.readout import Readout
from wta_sae.variants.registry import variant_named


@dataclass(frozen=True)
class MeasuredRun:
    """Configuration, sizes and metrics of a run, and the paper's numbers; None stands for what was not measured."""

    config: dict[str, Any]
    scale: Scale
    metrics: pd.DataFrame
    published: dict[str, Any]

    def at_rate(self, readout: Readout, metric: str, nominal: float) -> Estimate:
        """A readout's value, WTA's at a nominal rate and the baselines' at Table 1's k."""
        return readout_estimate(self.metrics, readout, metric, nominal, self.scale.k)

    def ablated(self, readout: Readout, metric: str, ablation: str | None) -> float | None:
        """A readout's value of Table 1's WTA SAE of the first seed, trained with an ablation; None: of the ordinary one."""
        first = self.metrics[self.metrics["seed"] == self.scale.seeds[0]]
        selection = {"variant": WTA, "inference": readout.inference, "sparsity_rate": self.scale.table_rate}
        return value(first, metric=metric, ablation=ablation, **selection)

    def groups(self) -> list[list[float]]:
        """The nominal rates in rising order, those that share one trained SAE together."""
        return list(rates_sharing_an_sae(winners_by_rate(self.metrics)))

    def records(self) -> list[list[float]]:
        """The nominal rates in rising order, those together whose SAE has the same values under every inference rule.

        The rule `released` may tell rates apart that share an SAE.
        """
        released = self.metrics[(self.metrics["variant"] == WTA) & (self.metrics["inference"] == WTA_RELEASED.inference)]
        of_rate = {
            nominal: tuple(rows.sort_values(["sae", "metric"])["value"]) for nominal, rows in released.groupby("sparsity_rate")
        }
        return [list(same) for group in self.groups() for _, same in groupby(group, key=of_rate.get)]

    def winners(self, nominal: float) -> int:
        return winners_per_latent(nominal, self.scale.batch_tokens)

    def budget(self, nominal: float) -> float:
        return variant_named(WTA).l0_budget(self.winners(nominal), self.scale.latents, self.scale.batch_tokens)


def run_of(config: dict[str, Any], metrics: pd.DataFrame, published: dict[str, Any]) -> MeasuredRun:
    """config: as `record-config` wrote it; metrics: `read_metrics`; published: `read_published`.

    Raises UserError naming a config key that is missing.
    """
    return MeasuredRun(config, scale_of(config), metrics, published)
