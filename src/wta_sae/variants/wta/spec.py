"""Winner-takes-all (paper section 3.1)."""

from wta_sae.variants.variant import Variant

SPEC = Variant("rates", ("described", "released", "per_latent"), "batch minimum", auxiliary_loss=False)
