"""What sets one SAE variant apart from another."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """What a variant's `spec` says of it; its `rule` picks the active latents of a training batch. Raises ValueError for a word
    that is none of those below.

    budget: `k` (active latents a token) or `rates` (the share of a batch's tokens that each latent wins).
    inference: the rules by which a trained SAE is read out (see `wta_sae.sae.sae.SAE`), the first its own.
    threshold: what the global threshold averages over batches: the `batch minimum` of the selected activations, or the
        `token mean` of each token's smallest.
    auxiliary_loss: whether dead latents are revived by an auxiliary loss.
    """

    budget: str
    inference: tuple[str, ...]
    threshold: str
    auxiliary_loss: bool

    def __post_init__(self) -> None:
        for word, known in ((self.budget, ("k", "rates")), (self.threshold, ("batch minimum", "token mean"))):
            if word not in known:
                raise ValueError(f"{word!r} is none of: {', '.join(known)}")

    def l0_budget(self, k: int, latents: int, batch_tokens: int) -> float:
        """Active latents a token that training allows at most: k, or winners * F / B."""
        return float(k) if self.budget == "k" else k * latents / batch_tokens
