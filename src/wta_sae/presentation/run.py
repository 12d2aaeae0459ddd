"""A run as the paper and the report see it: its configuration, what it measured, and the paper's numbers."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from wta_sae.base.errors import UserError
from wta_sae.plan.ablations import ALL_ABLATIONS
from wta_sae.plan.budgets import matched_rate
from wta_sae.plan.labelled_sets import FILES, HUB, drawn_datasets
from wta_sae.plan.papers_variants import COMPARED_IN_PAPER, WTA
from wta_sae.plan.winners import winners_per_latent
from wta_sae.presentation.estimates import Contrast, Estimate, change_word, of_single_seeds
from wta_sae.presentation.outlook_metrics import Outlook
from wta_sae.presentation.papers_readouts import WTA_RELEASED
from wta_sae.presentation.run_metrics import RunMetrics, budget_of
from wta_sae.variants.readout import Readout
from wta_sae.variants.registry import variant_named


class Gap(NamedTuple):
    """BatchTopK's value, one cut at equal L0, less that of the WTA SAE of the matched rate.

    released: WTA read out as released; its L0 is then that of the readout. own: WTA read out by its own cut a latent, at
    equal L0. readout_percent: the part of the first that the second lacks; NaN where the first is not beyond noise.
    """

    released: Contrast
    own: Contrast
    readout_percent: float


class Reached(NamedTuple):
    """The L0 that a variant's SAEs of the budget k reach, read out by their own rule. off: how far from k, as a share of it."""

    title: str
    l0: Estimate
    off: float


@dataclass(frozen=True)
class Run:
    """config: as `record-config` wrote it; published: `read_published`. Raises UserError naming a key that is missing."""

    config: dict[str, Any]
    metrics: RunMetrics
    published: dict[str, Any]

    def setting(self, key: str) -> Any:
        """The config's value at a dotted key. Raises UserError naming the key where it is missing."""
        value: Any = self.config
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                raise UserError(f"config: the key {key!r} is missing; the paper's text needs it")
            value = value[part]
        return value

    # Sizes

    @cached_property
    def sizes(self) -> dict[str, int]:
        """F, B, contexts' length L, the baselines' active latents a token in Table 1, and tokens in training."""
        return {
            "latents": int(self.setting("training.latents")),
            "batch_tokens": int(self.setting("training.batch_tokens")),
            "context_length": int(self.setting("text.context_length")),
            "k": int(self.setting("paper.table1_k")),
            "tokens": int(self.setting("activations.tokens")) * int(self.setting("training.epochs")),
        }

    @cached_property
    def k(self) -> int:
        return self.sizes["k"]

    @cached_property
    def table_rate(self) -> float:
        """WTA's rate in Table 1."""
        return float(self.setting("paper.table1_rate"))

    @cached_property
    def matched_rate(self) -> float:
        """The rate at which WTA's budget is k."""
        return matched_rate(self.config)

    @cached_property
    def seeds(self) -> list[int]:
        """Of the SAEs in Table 1; the first is that of every other random choice."""
        return [int(seed) for seed in self.setting("seeds")]

    @cached_property
    def activity(self) -> float:
        """Active latents a token that one winner a sequence gives, F/L."""
        return self.sizes["latents"] / self.sizes["context_length"]

    def winners(self, rate: float) -> int:
        """Of a latent in a batch of training."""
        return winners_per_latent(rate, self.sizes["batch_tokens"])

    def sequence_winners(self, rate: float) -> int:
        """Of a latent in a sequence, under the released readout."""
        return winners_per_latent(rate, int(self.setting("evaluation.batch_contexts")))

    def sequence_winner_counts(self) -> list[int]:
        """The different numbers of them over the rates, in rising order."""
        return sorted({self.sequence_winners(rate) for rate in self.metrics.budgets(WTA)})

    def budget(self, rate: float) -> float:
        return variant_named(WTA).l0_budget(self.winners(rate), self.sizes["latents"], self.sizes["batch_tokens"])

    def nearest_to_activity(self, groups: list[tuple[float, ...]]) -> tuple[float, ...]:
        """The rates whose budget is nearest to F/L."""
        return min(groups, key=lambda group: abs(self.budget(group[0]) - self.activity))

    @property
    def steps(self) -> int:
        return self.sizes["tokens"] // self.sizes["batch_tokens"]

    # Measurements

    def at(self, readout: Readout, metric: str, rate: float | None = None) -> Estimate:
        """A readout's value: WTA's at a nominal rate, by default Table 1's, and the baselines' at Table 1's k."""
        return self.at_rule(readout.variant, readout.inference, metric, rate)

    def of_weights(self, variant: str, metric: str, rate: float | None = None) -> float:
        return self.at_rule(variant, None, metric, rate).mean

    def at_rule(self, variant: str, rule: str | None, metric: str, rate: float | None = None) -> Estimate:
        return self.metrics.of(variant, rule, metric, budget_of(variant, self.table_rate if rate is None else rate, self.k))

    def matched(self, variant: str, rule: str | None, metric: str) -> Estimate:
        """At the budget k, read out by a rule of the comparison at equal L0 or another."""
        return self.at_rule(variant, rule, metric, self.matched_rate)

    @cached_property
    def _first_seed(self) -> RunMetrics:
        return self.metrics.of_seed(self.seeds[0])

    def ablated(self, readout: Readout, metric: str, ablation: str | None) -> float:
        """A readout's value of Table 1's WTA SAE of the first seed, trained with an ablation; None: of the ordinary one."""
        return self._first_seed.of(WTA, readout.inference, metric, self.table_rate, ablation).mean

    def change(self, readout: Readout, ablation: str) -> tuple[float, str]:
        """What an ablation does to centred explained variance, and whether it counts."""
        before, after = (self.ablated(readout, "explained_variance", name) for name in (None, ablation))
        kind = self.at(readout, "explained_variance")
        return after - before, change_word(of_single_seeds(after - before, kind.spread, kind.seeds - 1))

    def ablations(self) -> list[str]:
        """Those that this run measures, the one of all of them together where there are several."""
        names = list(self.setting("ablations"))
        return names + ([ALL_ABLATIONS] if len(names) > 1 else [])

    def beyond_the_paper(self) -> list[Reached]:
        """Of the run's variants those that the paper does not compare."""
        others = [one for one in self.metrics.variants() if one.name not in COMPARED_IN_PAPER]
        found = ((one.title, self.matched(one.name, one.readouts[0].inference, "l0")) for one in others)
        return [Reached(title, l0, abs(l0.mean / self.k - 1)) for title, l0 in found]

    @cached_property
    def outlook(self) -> Outlook:
        """The variants at the budget k, at equal L0."""
        return Outlook(self.metrics, self.matched_rate, self.k)

    def gap(self, metric: str) -> Gap:
        """The gap in one metric, whose higher value is the better one."""
        baseline = self.matched("batch_topk", "matched_threshold", metric)
        released, own = (baseline - self.matched(WTA, rule, metric) for rule in ("released", "matched_per_latent"))
        told = released.counts() and released.mean > 0
        return Gap(released, own, 100 * (1 - own.mean / released.mean) if told else math.nan)

    def released_l0_shares(self) -> tuple[float, float]:
        """The L0 of the released readout as a share of F/L times winners a sequence, the least and the most over the rates."""
        rates = self.metrics.budgets(WTA)
        measured = ((self.at(WTA_RELEASED, "l0", rate).mean, self.activity * self.sequence_winners(rate)) for rate in rates)
        shares = [l0 / formula for l0, formula in measured if not math.isnan(l0)]
        return min(shares, default=math.nan), max(shares, default=math.nan)

    # Beside the paper's

    def papers_winners(self, rate: float) -> int:
        """Of a latent in a batch of the paper's size."""
        return winners_per_latent(rate, self.published["setup"]["batch_tokens"])

    def papers_sae_count(self) -> int:
        """How many SAEs this run's rates are at the paper's batch size."""
        return len({self.papers_winners(rate) for rate in self.metrics.winners})

    def papers_model(self) -> bool:
        """Whether it reads the paper's language model after its block: what is in units of activations compares then."""
        setup = self.published["setup"]
        if self.setting("language_model.source") != "hub" or self.setting("language_model.layer") != setup["layer"]:
            return False
        return self.setting("language_model.hub.name").rsplit("/", 1)[-1] == setup["model"]

    def papers_scale(self) -> bool:
        """Whether the SAEs are the paper's in size, on as much of its model's activations."""
        return self.papers_model() and all(self.published["setup"][name] == size for name, size in self.sizes.items())

    def dataset_names(self) -> list[str]:
        """Of the labelled texts: those of the hub by their names there, one's own by the config's."""
        if self.setting("labelled_texts.source") == FILES:
            return list(drawn_datasets(self.config, FILES))
        names = drawn_datasets(self.config, HUB)
        return list(dict.fromkeys(self.setting("labelled_texts.hub.datasets")[name]["name"] for name in names))

    def papers_datasets(self) -> bool:
        return set(self.dataset_names()) == set(self.published["setup"]["labelled_datasets"])
