"""What a world of true features is drawn by. Free of torch: the Snakefile reads it."""

from dataclasses import dataclass, field

from wta_sae.base.errors import UserError

MOST_FREQUENT = 0.5  # share of tokens that a feature fires on at most


@dataclass(frozen=True)
class WorldOptions:
    """The part of the config's section `synthetic` that says what the activations are. Raises UserError for what cannot be."""

    features: int = field(metadata={"help": "true features"})
    width: int = field(metadata={"help": "of the activations"})
    active: float = field(metadata={"help": "features that fire on a token, on average"})
    zipf: float = field(metadata={"help": "exponent a: the i-th feature fires on a share of tokens like i^-a, half at most"})
    magnitude_spread: float = field(metadata={"help": "of a firing feature's size, exp(spread * normal noise)"})
    noise: float = field(metadata={"help": "standard deviation of the noise in each dimension"})
    group_size: int = field(metadata={"help": "features of a group, which fire together more often than by chance"})
    correlation: float = field(metadata={"help": "of the normal noise that makes two features of a group fire"})

    def __post_init__(self) -> None:
        if min(self.features, self.width, self.group_size) < 1:
            raise UserError("synthetic: features, width and group_size must be at least 1")
        if not 0 < self.active <= MOST_FREQUENT * self.features:
            raise UserError(
                f"synthetic.active: {self.active:g} is not between 0 and half of synthetic.features, {self.features}: a "
                "feature fires on half of the tokens at most"
            )
        if not 0 <= self.correlation < 1:
            raise UserError(f"synthetic.correlation: {self.correlation:g} is not from 0 up to, but without, 1")
