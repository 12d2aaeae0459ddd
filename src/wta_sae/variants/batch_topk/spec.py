"""BatchTopK (Bussmann et al. 2024; paper eq. 3), read out by a threshold (paper section 2.4)."""

from wta_sae.variants.readout import Look, Readout
from wta_sae.variants.variant import Variant

LOOK = Look("BatchTopK", "#AA4499", "v", (0, (4, 1.6)), size=4.2)
SPEC = Variant("batch_topk", "BatchTopK", "k", (Readout("batch_topk", "threshold", "BatchTopK", LOOK),))
