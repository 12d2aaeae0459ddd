"""Winner-takes-all whose winners a latent follow demand (paper section 6.2, adaptive sparsity)."""

from dataclasses import dataclass

from wta_sae.variants.readout import Look, Readout
from wta_sae.variants.variant import Variant
from wta_sae.variants.variant_options import VariantOptions, option


@dataclass(frozen=True)
class AdaptiveOptions(VariantOptions):
    """speed: how much of a latent's demand is what the last batch says, against all before it."""

    speed: float = option(0.02, exclusiveMinimum=0, maximum=1)


SPEC = Variant(
    name="adaptive",
    title="Adaptive WTA",
    budget="k",
    readouts=(Readout("adaptive", "per_latent", "adaptive", Look("Adaptive WTA", "#999933", "p", (0, (5, 1, 1, 1)))),),
    options=AdaptiveOptions,
)
