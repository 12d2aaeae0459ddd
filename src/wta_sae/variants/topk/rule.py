"""TopK: each token keeps its k largest activations.

Shape suffixes: B tokens of a batch, F latents.
"""

from wta_sae.codes.dense_selection import top_k_dense as select_dense
from wta_sae.codes.fast_selection import top_k_pairs as select_pairs
from wta_sae.sae.readouts import top_k as select

__all__ = ["LATENTS_FIRST", "select", "select_dense", "select_pairs"]

LATENTS_FIRST = False
