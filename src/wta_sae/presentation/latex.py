"""LaTeX text from Python values: escaping, and how a number looks in the paper."""

import math

MISSING = "---"
SMALLEST_PLAIN_RATE = 1e-3
"""Rates below it are shown in powers of ten."""
COLUMN_GAP = "3.5pt"
"""Half the space between a table's columns."""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def escape(text: str) -> str:
    """`text` with LaTeX's special characters made literal."""
    return "".join(_SPECIAL.get(character, character) for character in str(text))


def count(value: int) -> str:
    """A whole number with thousands separators, right in text and in math: 2048 -> 2{,}048."""
    return f"{int(value):,}".replace(",", "{,}")


def number(value: float | None, digits: int) -> str:
    """A decimal number for text mode: an em dash for None and NaN, a real minus sign, no decimals from 1,000 up."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return r"\ensuremath{\infty}" if value > 0 else r"\textminus{}\ensuremath{\infty}"
    digits = 0 if abs(value) >= 1000 else digits
    text = f"{abs(value):,.{digits}f}".replace(",", "{,}")
    negative = value < 0 and any(character in "123456789" for character in text)
    return rf"\textminus{{}}{text}" if negative else text


def shortest(value: float, digits: int) -> str:
    """`number` with as few decimals as it needs: 20 rather than 20.0."""
    return number(value, 0 if float(value).is_integer() else digits)


def rate(value: float) -> str:
    r"""A sparsity rate: 5e-6 -> $5\times10^{-6}$, 1e-6 -> $10^{-6}$, from 0.001 up the plain decimal number."""
    if value >= SMALLEST_PLAIN_RATE:
        return f"{value:.10f}".rstrip("0").rstrip(".")
    mantissa, exponent = f"{value:.6e}".split("e")
    power = f"10^{{{int(exponent)}}}"
    mantissa = mantissa.rstrip("0").rstrip(".")
    return rf"\ensuremath{{{power}}}" if mantissa == "1" else rf"\ensuremath{{{mantissa}\times {power}}}"


def listing(items: list[str]) -> str:
    """Items as a sentence lists them: "a, b and c". An em dash for no items."""
    if len(items) < 2:
        return items[0] if items else MISSING
    return ", ".join(items[:-1]) + " and " + items[-1]


def column_groups(groups: list[tuple[str, int]]) -> list[str]:
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
    return [" & ".join(cells).replace("  ", " ").rstrip() + r" \\", " ".join(rules)]


def table_environment(
    caption: str, label: str, columns: str, head: list[str], body: list[str], environment: str = "table*"
) -> str:
    r"""A complete table, ready for \input; booktabs is needed. columns: of tabular; head and body: rows, ends included."""
    lines = [
        "% Generated: an edit here is lost at the next build.",
        rf"\begin{{{environment}}}[tp]",
        r"\centering",
        r"\small",
        rf"\setlength{{\tabcolsep}}{{{COLUMN_GAP}}}",
        rf"\caption{{{caption}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        rf"\end{{{environment}}}",
    ]
    return "\n".join(lines) + "\n"
