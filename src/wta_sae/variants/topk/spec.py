"""TopK (Gao et al. 2024; paper eq. 1)."""

from wta_sae.variants.variant import Variant

SPEC = Variant("k", ("topk",), "token mean", auxiliary_loss=True)
