"""BatchTopK with a floor for each latent (paper section 6.2, hybrid sparsity with a budget per batch)."""

from dataclasses import dataclass

from wta_sae.variants.readout import Look, Readout
from wta_sae.variants.variant import Variant
from wta_sae.variants.variant_options import VariantOptions, option

LOOK = Look("BatchTopK + floor", "#88CCEE", ">", (0, (4, 1)))


@dataclass(frozen=True)
class HybridBatchOptions(VariantOptions):
    """floor: activations that each latent keeps at least of a batch in which it is owed them, within the budget.

    floor_share: of the budget, that floors may take at most; where all of them would take more, latents take turns.
    settle_share: of the run's last steps, without floors, so that the thresholds settle.
    """

    floor: int = option(1, minimum=1)
    floor_share: float = option(0.7, exclusiveMinimum=0, maximum=1)
    settle_share: float = option(0.1, minimum=0, maximum=1)


SPEC = Variant(
    name="hybrid_batch",
    title="BatchTopK + floor",
    budget="k",
    readouts=(Readout("hybrid_batch", "per_latent", "BatchTopK + floor", LOOK),),
    options=HybridBatchOptions,
)
