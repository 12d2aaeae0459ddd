"""Where a residual stream is read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hook:
    """After which block of which model. model: its name on the hub or its directory; model_sha256: its digest."""

    model: str
    model_sha256: str
    layer: int
    width: int

    @property
    def name(self) -> str:
        """As TransformerLens has it."""
        return hook_name(self.layer)


def hook_name(layer: int) -> str:
    return f"blocks.{layer}.hook_resid_post"
