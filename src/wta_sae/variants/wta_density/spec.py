"""Winner-takes-all with a penalty on tokens that many latents fire on (paper section 6.2, modified objective)."""

from dataclasses import dataclass

from wta_sae.variants.readout import Look, Readout
from wta_sae.variants.variant import Variant
from wta_sae.variants.variant_options import VariantOptions, option

LOOK = Look("WTA + density penalty", "#6699CC", "8", (0, (3, 1)))


@dataclass(frozen=True)
class WTADensityOptions(VariantOptions):
    """weight: of the penalty beside the squared error. steepness: s of tanh(s a), by which an activation counts as one."""

    weight: float = option(0.1, minimum=0)
    steepness: float = option(4.0, exclusiveMinimum=0)


SPEC = Variant(
    name="wta_density",
    title="WTA + density",
    budget="k",
    readouts=(Readout("wta_density", "per_latent", "WTA + density", LOOK),),
    options=WTADensityOptions,
)
