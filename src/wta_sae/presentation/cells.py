r"""Measured values as cells of a LaTeX table: the mean over seeds, its spread, the best of a row in bold. Needs xcolor."""

import math
from collections.abc import Sequence

from wta_sae.presentation.estimates import Estimate
from wta_sae.presentation.notation import LATEX
from wta_sae.presentation.run_metrics import RunMetrics
from wta_sae.presentation.synthetic_metrics import SyntheticMetrics

BEST_IN_WORDS = (
    "Bold: the best value, with all that read the same or lie within one joint standard deviation of it, "
    r"$(s_1^2+s_2^2)^{1/2}$."
)


def row_cells(values: Sequence[Estimate], digits: int, direction: str) -> list[str]:
    """The values as cells: the best in bold (`bold_best`), each standard deviation small and grey behind its mean."""
    return [mean + _spread(value, digits) for mean, value in zip(bold_best(values, digits, direction), values, strict=True)]


def _spread(value: Estimate, digits: int) -> str:
    if math.isnan(value.spread):
        return ""
    return rf"\,{{\scriptsize\color{{black!55}}\textpm{LATEX.number(value.spread, digits)}}}"


def bold_best(values: Sequence[Estimate], digits: int, direction: str) -> list[str]:
    """The means as printed, the best in bold, with all that read the same or lie within one joint standard deviation of it.

    The joint standard deviation of two cells is sqrt(s1^2 + s2^2), where one seed counts as 0. direction: higher, lower, or
    none (nothing is bold). Values of which fewer than two were measured have no best.
    """
    texts = [LATEX.number(value.mean, digits) for value in values]
    present = [i for i, value in enumerate(values) if not math.isnan(value.mean)]
    if direction == "none" or len(present) < 2:
        return texts
    pick = max if direction == "higher" else min
    best = pick(present, key=lambda i: values[i].mean)
    level = {i for i in present if texts[i] == texts[best] or _not_told_apart(values[i], values[best])}
    return [rf"\textbf{{{text}}}" if i in level else text for i, text in enumerate(texts)]


def _not_told_apart(left: Estimate, right: Estimate) -> bool:
    spreads = (0 if math.isnan(spread) else spread for spread in (left.spread, right.spread))
    return abs(left.mean - right.mean) <= math.hypot(*spreads)


def arrow(direction: str) -> str:
    """The better direction, as an arrow behind a label."""
    return {"higher": r"~$\uparrow$", "lower": r"~$\downarrow$", "none": ""}[direction]


def over_seeds(metrics: RunMetrics | SyntheticMetrics) -> str:
    """What a cell is, for a caption."""
    seeds = metrics.table["seed"].nunique()
    return f"Mean and standard deviation over {seeds} seeds." if seeds > 1 else "One seed."


def column_groups(groups: Sequence[tuple[str, int]]) -> str:
    """Two rows above a table's head: the title of each group of columns, and a rule under each that has one.

    groups: title and number of columns of each, from the left; without a title, the columns stay free.
    """
    cells, rules, first = [], [], 1
    columns = sum(width for _, width in groups)
    for title, width in groups:
        last = first + width - 1
        if title:
            cells.append(rf"\multicolumn{{{width}}}{{c}}{{{title}}}")
            rules.append(rf"\cmidrule({'l' if last == columns else 'lr'}){{{first}-{last}}}")
        else:
            cells += [""] * width
        first = last + 1
    return " & ".join(cells) + " \\\\\n" + " ".join(rules)
