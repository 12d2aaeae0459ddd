"""BatchTopK (Bussmann et al. 2024; paper eq. 3), read out by a threshold (paper section 2.4)."""

from wta_sae.variants.variant import Variant

SPEC = Variant("k", ("threshold",), "batch minimum", auxiliary_loss=True)
