"""What sets one SAE variant apart from another, as far as a run is planned and shown by it."""

from dataclasses import dataclass
from typing import Any

from wta_sae.base.errors import UserError
from wta_sae.variants.readout import Readout
from wta_sae.variants.variant_options import VariantOptions

# By the key that a config gives it under.
BUDGETS = {
    "k": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "integer", "minimum": 1}},
    "rates": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    },
}

RULES_AT_EQUAL_L0 = {"topk": "matched_topk", "threshold": "matched_threshold"}  # by a variant's own inference rule


@dataclass(frozen=True)
class Variant:
    """What a variant's `spec` says of it; how it trains is its `rule`'s. Raises ValueError for what cannot be.

    name: of its folder, and in the config; title: in print.
    budget: `k` (active latents a token) or `rates` (the share of a batch's tokens that each latent wins).
    readouts: how a trained SAE is read out and evaluated. options: what the config may say of it beside its budget.
    """

    name: str
    title: str
    budget: str
    readouts: tuple[Readout, ...]
    options: type[VariantOptions] = VariantOptions

    def __post_init__(self) -> None:
        if self.budget not in BUDGETS:
            raise ValueError(f"{self.name}: the budget {self.budget!r} is none of: {', '.join(BUDGETS)}")
        if {readout.variant for readout in self.readouts} != {self.name}:
            raise ValueError(f"{self.name}: its readouts are of {', '.join(one.variant for one in self.readouts) or 'none'}")

        if taken := set(BUDGETS) & set(self.options.schema()):
            raise ValueError(f"{self.name}: an option cannot have the name of a budget, {', '.join(sorted(taken))}")

    @property
    def rule_at_equal_l0(self) -> str:
        """That of the comparison at equal L0 which is nearest to the variant's own.

        The k largest of a token or one cut for all, where it is read out so, else a cut a latent, which alone does justice to
        a variant that gives each latent its winners.
        """
        return RULES_AT_EQUAL_L0.get(self.readouts[0].inference, "matched_per_latent")

    def schema(self) -> dict[str, Any]:
        """JSON schema of the variant's section in the config: its budget, and its options; or null, for none."""
        properties = {self.budget: BUDGETS[self.budget], **self.options.schema()}
        return {"type": ["object", "null"], "additionalProperties": False, "required": [self.budget], "properties": properties}

    def l0_budget(self, k: int, latents: int, batch_tokens: int) -> float:
        """Active latents a token that training allows: k, or winners * F / B."""
        return float(k) if self.budget == "k" else k * latents / batch_tokens

    def check_k(self, k: int, latents: int, batch_tokens: int) -> None:
        """Raises UserError for more active latents a token than there are, or more winners than a batch has tokens."""
        most = latents if self.budget == "k" else batch_tokens
        if not 1 <= k <= most:
            raise UserError(f"k: {k} is not between 1 and {most}, the {self.name} SAE's most")
