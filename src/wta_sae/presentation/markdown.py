"""Numbers and tables as plain text for Markdown, and the same text as LaTeX."""

import math
import re
import textwrap
from collections.abc import Sequence

from wta_sae.presentation import latex

MISSING = "—"
MINUS = "\N{MINUS SIGN}"

SIGNS = {
    "±": r"\ensuremath{\pm}",
    MINUS: r"\textminus{}",
    MISSING: latex.MISSING,
    r"θ\_j": r"\ensuremath{\theta_j}",
    "θ": r"\ensuremath{\theta}",
    "L0": r"\ensuremath{L_0}",
}
"""Of plain text, each with its LaTeX."""


def number(value: float | None, digits: int) -> str:
    """A decimal number: an em dash for None and NaN, a real minus sign, no decimals from 1,000 up."""
    if value is None or math.isnan(value):
        return MISSING
    text = f"{abs(value):,.{0 if abs(value) >= 1000 else digits}f}"
    return MINUS + text if value < 0 and any(character in "123456789" for character in text) else text


def with_spread(mean: float | None, spread: float | None, digits: int) -> str:
    """A mean with its standard deviation: 0.893 ± 0.002; without one where there is none."""
    text = number(mean, digits)
    return text if mean is None or spread is None else f"{text} ± {number(spread, digits)}"


def rate(value: float) -> str:
    """A sparsity rate: 5e-6, and from 0.001 up the plain decimal number."""
    if value >= latex.SMALLEST_PLAIN_RATE:
        return latex.rate(value)
    mantissa, exponent = f"{value:.6e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def rates(values: Sequence[float]) -> str:
    """Rates that stand together: "0.05", or "1e-6 to 5e-4" for several; an em dash for none."""
    if not values:
        return MISSING
    return rate(values[0]) if len(values) == 1 else f"{rate(values[0])} to {rate(values[-1])}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; a `|` inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |" for cells in lines)


def wrapped(document: str, width: int = 120) -> str:
    """The document with its paragraphs and list items filled anew; tables and headings stay as they are."""
    return "\n\n".join(_filled(block, width) for block in document.split("\n\n"))


def _filled(block: str, width: int) -> str:
    if block.startswith(("|", "#")):
        return block
    items = [" ".join(item.split()) for item in re.split(r"\n(?=- )", block)]
    options = {"width": width, "break_long_words": False, "break_on_hyphens": False}
    return "\n".join(textwrap.fill(item, subsequent_indent="  " * item.startswith("- "), **options) for item in items)


def to_latex(text: str) -> str:
    """Plain text of the presentation as LaTeX: signs, names in backticks, and rates as powers of ten."""
    text = latex.escape(text)
    for sign, command in SIGNS.items():
        text = text.replace(sign, command)
    text = re.sub(r"`([^`]*)`", r"\\texttt{\1}", text)
    text = re.sub(r"(\d) \\%", r"\1\\,\\%", text)
    return re.sub(r"\d+(\.\d+)?e-\d+", lambda found: latex.rate(float(found[0])), text)
