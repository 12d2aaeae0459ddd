"""Winner-takes-all first, and demand later: equal parts of the budget at the beginning, adaptive ones at the end.

Shape suffixes: F latents.
"""

from torch import Tensor

from wta_sae.variants.adaptive.rule import Rule as AdaptiveRule


class Rule(AdaptiveRule):
    """k: as of `adaptive`, whose demand is followed from the first step on."""

    def shares(self, step: int) -> Tensor:
        begin, end = (share * self.sizes.steps for share in (self.options.begin, self.options.end))
        progress = min(max((step - begin) / (end - begin), 0.0), 1.0) if end > begin else float(step >= begin)
        return (1 - progress) / self.sizes.latents + progress * super().shares(step)
