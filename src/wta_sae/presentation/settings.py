"""What the presentation needs of a run's configuration."""

from dataclasses import dataclass
from typing import Any

from wta_sae.base.errors import UserError
from wta_sae.plan.budgets import matched_rate


@dataclass(frozen=True)
class Scale:
    """A run's sizes: F, B, contexts' length L, contexts an evaluation batch, and which SAEs the tables compare.

    table_rate: WTA's rate in Table 1; k: the baselines' active latents a token there; matched_rate: the rate at which WTA's
    budget is k; seeds: of the SAEs in Table 1, the first that of every other random choice.
    """

    latents: int
    batch_tokens: int
    context_length: int
    batch_contexts: int
    table_rate: float
    k: int
    matched_rate: float
    seeds: tuple[int, ...]


def scale_of(config: dict[str, Any]) -> Scale:
    """The sizes in a configuration as `record-config` wrote it. Raises UserError naming a key that is missing."""
    return Scale(
        latents=int(setting(config, "training.latents")),
        batch_tokens=int(setting(config, "training.batch_tokens")),
        context_length=int(setting(config, "text.context_length")),
        batch_contexts=int(setting(config, "evaluation.batch_contexts")),
        table_rate=float(setting(config, "paper.table1_rate")),
        k=int(setting(config, "paper.table1_k")),
        matched_rate=matched_rate(config),
        seeds=tuple(int(seed) for seed in setting(config, "seeds")),
    )


def papers_model(config: dict[str, Any], published: dict[str, Any]) -> bool:
    """Whether a run reads the paper's language model after the paper's block: what is in units of activations compares then."""
    setup, source = published["setup"], setting(config, "language_model.source")
    if source != "hub" or setting(config, "language_model.layer") != setup["layer"]:
        return False
    return setting(config, "language_model.hub.name").rsplit("/", 1)[-1] == setup["model"]


def setting(config: dict[str, Any], key: str) -> Any:
    """The config's value at a dotted key. Raises UserError naming the key where it is missing."""
    value = config
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise UserError(f"config: the key {key!r} is missing; the paper's text needs it")
        value = value[part]
    return value
