"""TopK with a floor for each latent (paper section 6.2, hybrid sparsity with a budget per sample)."""

from dataclasses import dataclass

from wta_sae.variants.readout import Look, Readout
from wta_sae.variants.variant import Variant
from wta_sae.variants.variant_options import VariantOptions, option


@dataclass(frozen=True)
class HybridTokenOptions(VariantOptions):
    """floor: activations of a batch that each latent keeps at least, above the budget: up to floor * F / B more a token.

    patience: batches that a latent may be silent before it is owed its floor; 0: it is owed it in every batch.
    """

    floor: int = option(1, minimum=1)
    patience: int = option(0, minimum=0)


SPEC = Variant(
    name="hybrid_token",
    title="TopK + floor",
    budget="k",
    readouts=(
        Readout("hybrid_token", "topk", "TopK + floor", Look("TopK + floor", "#882255", "d", (0, (2, 1)))),
        Readout("hybrid_token", "per_latent", "per latent", Look("TopK + floor, per latent", "#CC6677", "h", (0, (2, 1)))),
    ),
    options=HybridTokenOptions,
)
