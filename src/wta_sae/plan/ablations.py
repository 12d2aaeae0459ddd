"""The ablations: Table 1's WTA SAE, trained as the released code does it in one respect, or in all."""

from typing import Any

# What the released code does otherwise than its paper's text, or than its own baselines.
RELEASED_CODE: dict[str, dict[str, Any]] = {
    "gate": {"gate": "late"},
    "encoder_bias": {"rescale_encoder_bias": False},
    "packing": {"packing": "first", "prepend_bos": False},
}
LARGE, LARGE_WITHOUT_AUXILIARY = "large", "large_without_auxiliary"  # beside them: SAEs of many latents, of any variant
ALL_ABLATIONS = "all"  # the name of the SAE trained with every ablation's settings at once
