"""How a trained SAE is read out, as the tables and figures show it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """How a line is drawn. line: matplotlib's line style; width and size: of line and marker, in points.

    Lines that are drawn later are thinner, so that one under another still shows.
    """

    label: str
    colour: str
    marker: str
    line: str | tuple = "-"
    width: float = 1.2
    size: float = 3.6


@dataclass(frozen=True)
class Readout:
    """A variant's SAE as one inference rule reads it out: a column of the tables, a line of the figures.

    variant: its folder's name; inference: a rule of `wta_sae.sae.sae.SAE`; heading: over its column, where those of a variant
    stand side by side.
    """

    variant: str
    inference: str
    heading: str
    look: Look
