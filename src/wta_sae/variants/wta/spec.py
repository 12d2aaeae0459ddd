"""Winner-takes-all (paper section 3.1)."""

from dataclasses import dataclass
from typing import Literal

from wta_sae.variants.readout import Look, Readout
from wta_sae.variants.variant import Variant
from wta_sae.variants.variant_options import VariantOptions


@dataclass(frozen=True)
class WTAOptions(VariantOptions):
    """Where the paper's text and its released code differ.

    gate: whether activations that are not above the global threshold, as it stands before the step, are dropped before
        the winners are taken. `early`: up to and including `threshold_start_step`, as the paper's text says ("during the
        initial training phase"); the threshold is then followed from the first step on. `late`: after that step, as the
        authors' released code does. While the gate is on, every winner is above the threshold, so that the threshold,
        which follows the smallest of them, can only rise.
    rescale_encoder_bias: false saves the SAE as the released code's WTA class does: the norm factor is folded into the
        decoder's bias and the thresholds and not into the encoder's bias, which is then that factor too small.
    """

    gate: Literal["never", "early", "late"] = "never"
    rescale_encoder_bias: bool = True


SPEC = Variant(
    "wta",
    "WTA",
    "rates",
    (
        Readout("wta", "described", "described", Look("WTA, described", "#0072B2", "o", width=2.0, size=5.0)),
        Readout("wta", "released", "released", Look("WTA, released", "#D55E00", "s", width=1.4, size=3.8)),
        Readout("wta", "per_latent", "per latent", Look("WTA, per latent", "#009E73", "^", width=0.9, size=3.4)),
    ),
    WTAOptions,
)
