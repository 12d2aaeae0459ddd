r"""How values look in print: the same value in LaTeX and in Markdown. NaN is what was not measured, and an em dash."""

import math
from collections.abc import Sequence

from wta_sae.presentation.estimates import Contrast, Estimate

SMALLEST_PLAIN_RATE = 1e-3
"""Rates below it are shown in powers of ten."""


class Notation:
    """Markdown's. Its methods are the filters of the templates, its attributes their signs."""

    missing, minus, plus_minus, infinity, thousands = "—", "\N{MINUS SIGN}", "±", "∞", ","
    theta, theta_j, lzero = "θ", "θ_j", "L0"

    def text(self, text: object) -> str:
        """What means itself, whatever signs are in it."""
        return str(text)

    def code(self, name: str) -> str:
        """A name of the code or the config."""
        return f"`{name}`"

    def power(self, mantissa: str, exponent: int) -> str:
        """mantissa times ten to the exponent."""
        return f"{mantissa}e{exponent}"

    def percent(self, value: float) -> str:
        """A share of 100, without decimals."""
        return f"{self.number(value)} %"

    def number(self, value: float, digits: int = 0) -> str:
        """A decimal number: a real minus sign but before zero, separators, no decimals from 1,000 up."""
        if math.isnan(value):
            return self.missing
        if math.isinf(value):
            return ("" if value > 0 else self.minus) + self.infinity
        text = f"{abs(value):,.{0 if abs(value) >= 1000 else digits}f}".replace(",", self.thousands)
        negative = value < 0 and any(character in "123456789" for character in text)
        return self.minus + text if negative else text

    def shortest(self, value: float, digits: int) -> str:
        """`number` with as few decimals as it needs: 20 rather than 20.0."""
        return self.number(value, 0 if float(value).is_integer() else digits)

    def estimate(self, value: Estimate | Contrast, digits: int) -> str:
        """A mean with its standard deviation: 0.893 ± 0.002; without one where there is none."""
        spread = "" if math.isnan(value.spread) else f" {self.plus_minus} {self.number(value.spread, digits)}"
        return self.number(value.mean, digits) + spread

    def rate(self, value: float) -> str:
        """A sparsity rate: a power of ten below 0.001, from there up the plain decimal number."""
        if value >= SMALLEST_PLAIN_RATE:
            return f"{value:.10f}".rstrip("0").rstrip(".")
        mantissa, exponent = f"{value:.6e}".split("e")
        return self.power(mantissa.rstrip("0").rstrip("."), int(exponent))

    def rates(self, values: Sequence[float]) -> str:
        """Rates that stand together: the first and the last."""
        if not values:
            return self.missing
        return self.rate(values[0]) + (f" to {self.rate(values[-1])}" if len(values) > 1 else "")

    def listing(self, items: Sequence[str]) -> str:
        """As a sentence lists them: "a, b and c"; an em dash for none."""
        if len(items) < 2:
            return items[0] if items else self.missing
        return ", ".join(items[:-1]) + " and " + items[-1]


class LaTeX(Notation):
    """The same as LaTeX, right in text and in math."""

    missing, minus, plus_minus = "---", r"\textminus{}", r"\ensuremath{\pm}"
    infinity, thousands = r"\ensuremath{\infty}", "{,}"
    theta, theta_j, lzero = r"\ensuremath{\theta}", r"\ensuremath{\theta_j}", r"\ensuremath{\Lzero}"
    special = str.maketrans(
        {character: rf"\{character}" for character in "&%$#_{}"}
        | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
        | {"<": r"\textless{}", ">": r"\textgreater{}"}
    )

    def text(self, text: object) -> str:
        return str(text).translate(self.special)

    def code(self, name: str) -> str:
        return rf"\texttt{{{self.text(name)}}}"

    def power(self, mantissa: str, exponent: int) -> str:
        factor = "" if mantissa == "1" else rf"{mantissa}\times "
        return rf"\ensuremath{{{factor}10^{{{exponent}}}}}"

    def percent(self, value: float) -> str:
        return rf"{self.number(value)}\,\%"


MARKDOWN, LATEX = Notation(), LaTeX()
