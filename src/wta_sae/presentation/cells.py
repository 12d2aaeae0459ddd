r"""Measured values as cells of a LaTeX table: the mean over seeds, its spread, the best of a row in bold. Needs xcolor."""

import math
from collections.abc import Sequence

import pandas as pd

from wta_sae.presentation.estimates import Estimate
from wta_sae.presentation.latex import MISSING, count, number

BEST = (
    "Bold: the best value, with all that read the same or lie within one joint standard deviation of it, "
    r"$(s_1^2+s_2^2)^{1/2}$."
)
"""What `bold_best` does, for a caption."""


def row_cells(values: Sequence[Estimate], digits: int, direction: str) -> list[str]:
    """The values as cells: the best in bold (`bold_best`), each standard deviation small and grey behind its mean."""
    means = bold_best(values, digits, direction)
    return [mean + _spread(value, digits) for mean, value in zip(means, values, strict=True)]


def _spread(value: Estimate, digits: int) -> str:
    if value.mean is None or value.spread is None:
        return ""
    return rf"\,{{\scriptsize\color{{black!55}}\textpm{number(value.spread, digits)}}}"


def bold_best(values: Sequence[Estimate], digits: int, direction: str) -> list[str]:
    """The means as printed, the best in bold, with all that read the same or lie within one joint standard deviation of it.

    The joint standard deviation of two cells is sqrt(s1^2 + s2^2), where one seed counts as 0. direction: higher, lower, or
    none (nothing is bold). Values of which fewer than two were measured have no best.
    """
    texts = [number(value.mean, digits) for value in values]
    present = [i for i, text in enumerate(texts) if text != MISSING]
    if direction == "none" or len(present) < 2:
        return texts
    pick = max if direction == "higher" else min
    best = pick(present, key=lambda i: values[i].mean)
    level = {i for i in present if texts[i] == texts[best] or _not_told_apart(values[i], values[best])}
    return [rf"\textbf{{{text}}}" if i in level else text for i, text in enumerate(texts)]


def _not_told_apart(left: Estimate, right: Estimate) -> bool:
    return abs(left.mean - right.mean) <= math.hypot(left.spread or 0, right.spread or 0)


def arrow(direction: str) -> str:
    """The better direction, as an arrow behind a label."""
    return {"higher": r"~$\uparrow$", "lower": r"~$\downarrow$", "none": ""}[direction]


def over_seeds(metrics: pd.DataFrame) -> str:
    """What a cell is, for a caption."""
    seeds = metrics["seed"].nunique()
    return f"Mean and standard deviation over {count(seeds)} seeds." if seeds > 1 else "One seed."
