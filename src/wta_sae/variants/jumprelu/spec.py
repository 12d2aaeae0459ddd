"""JumpReLU (Rajamanoharan et al. 2024; paper section 2.3): a trained threshold for each latent, and a penalty on L0."""

from dataclasses import dataclass

from wta_sae.variants.readout import Look, Readout
from wta_sae.variants.variant import Variant
from wta_sae.variants.variant_options import VariantOptions, option


@dataclass(frozen=True)
class JumpReLUOptions(VariantOptions):
    """The defaults are dictionary_learning's, whose warm-up of 2000 steps is twice its learning rate's.

    weight: of the penalty (L0 / k - 1)^2 beside the squared error. bandwidth: of the pseudo-gradients' rectangle, and
    start: the thresholds' first value, both in units of normalised activations. warmup_share: of the run's steps, over which
    the weight rises linearly from 0.
    """

    weight: float = option(1.0, minimum=0)
    bandwidth: float = option(0.001, exclusiveMinimum=0)
    start: float = option(0.001, exclusiveMinimum=0)
    warmup_share: float = option(0.16, minimum=0, maximum=1)


SPEC = Variant(
    name="jumprelu",
    title="JumpReLU",
    budget="k",
    readouts=(Readout("jumprelu", "per_latent", "JumpReLU", Look("JumpReLU", "#117733", "<", (0, (3, 1, 1, 1)))),),
    options=JumpReLUOptions,
)
