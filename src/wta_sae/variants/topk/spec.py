"""TopK (Gao et al. 2024; paper eq. 1)."""

from wta_sae.variants.readout import Look, Readout
from wta_sae.variants.variant import Variant

LOOK = Look("TopK", "#555555", "D", (0, (1, 1.2)), size=3.4)
SPEC = Variant("topk", "TopK", "k", (Readout("topk", "topk", "TopK", LOOK),))
