"""Figure 1 of the paper, rebuilt: the distribution of encoder-decoder cosines at each sparsity rate."""

from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from wta_sae.base.errors import UserError
from wta_sae.presentation.style import BAND, INK, TEXT_WIDTH, paper_style

MEDIANS_AT = 1.1
"""Height of the row of written medians, above the largest possible cosine."""


def draw_figure1(cosines_by_rate: dict[float, np.ndarray], published: dict[str, Any], winners: dict[float, int]) -> Figure:
    """Figure 1: the distribution over latents of the cosine between encoder and decoder vector; one violin a WTA rate.

    cosines_by_rate: one value a latent for each nominal rate. winners: winners per latent and batch at each; rates with as
    many share one SAE. published: bounds on the medians, from the paper's section 5.2.
    Raises UserError where there is no rate, or a rate has no finite cosine.
    """
    if not cosines_by_rate:
        raise UserError("figure 1: no encoder-decoder cosines; evaluate the weights of a WTA SAE")
    rates = sorted(cosines_by_rate)
    cosines = [np.asarray(cosines_by_rate[rate], dtype=float) for rate in rates]
    cosines = [values[np.isfinite(values)] for values in cosines]
    for rate, values in zip(rates, cosines, strict=True):
        if not values.size:
            raise UserError(f"figure 1: no finite encoder-decoder cosine at rate {rate:g}")
    groups = [list(group) for _, group in groupby(rates, key=winners.__getitem__)]

    with paper_style():
        figure = Figure(figsize=(TEXT_WIDTH, 2.3), layout="constrained")
        axes = figure.subplots()
        _draw_violins(axes, rates, cosines, groups)
        lowest = min(values.min() for values in cosines)
        axes.set_ylim(min(0.0, lowest) - 0.04, MEDIANS_AT + 0.07)
        axes.set_yticks(np.arange(np.ceil(min(0.0, lowest) * 5) / 5, 1.01, 0.2))
        _mark_published_medians(axes, rates, published["figure1"]["medians"])
        _label_rate_categories(axes, rates, winners)
        axes.set_ylabel("Encoder-decoder cosine")
        handles = [
            Line2D([], [], color=INK, marker="o", markerfacecolor="white", linestyle="", label="median (written above)"),
            Patch(facecolor=BAND, label="rates that share one SAE"),
            Line2D([], [], color=INK, linewidth=1.4, label="published bound on the median"),
        ]
        if len(groups) == len(rates):
            del handles[1]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _draw_violins(axes: Axes, rates: list[float], cosines: list[np.ndarray], groups: list[list[float]]) -> None:
    axes.grid(axis="x", visible=False)
    for group in groups:
        if len(group) > 1:
            first, last = rates.index(group[0]), rates.index(group[-1])
            axes.axvspan(first - 0.46, last + 0.46, color=BAND, linewidth=0, zorder=0)
    parts = axes.violinplot(cosines, range(len(rates)), widths=0.82, showextrema=False, points=160)
    bodies: Any = parts["bodies"]
    for body in bodies:
        body.set(facecolor="#9ecae1", edgecolor="#2b6a99", linewidth=0.6, alpha=1, zorder=2)
    for position, values in enumerate(cosines):
        low, median, high = np.percentile(values, [25, 50, 75])
        axes.plot([position, position], [low, high], color="#1f4e70", linewidth=3, solid_capstyle="butt", zorder=3)
        axes.plot(position, median, "o", markersize=3.8, markerfacecolor="white", markeredgecolor=INK, zorder=6)
        axes.text(position, MEDIANS_AT, f"{median:.2f}", ha="center", va="center", fontsize=7.5)


def _mark_published_medians(axes: Axes, rates: list[float], medians: list[dict[str, Any]]) -> None:
    """A bar at the bound, with an arrow to the side on which the paper says that its median lies."""
    for statement in medians:
        step = -0.09 if statement["bound"] == "below" else 0.09
        for rate in statement["rates"]:
            position = next((i for i, present in enumerate(rates) if np.isclose(present, rate, rtol=1e-9, atol=0)), None)
            if position is None:
                continue
            bound = statement["value"]
            axes.plot([position - 0.41, position + 0.41], [bound, bound], color=INK, linewidth=1.4, zorder=4)
            axes.annotate(
                "",
                (position + 0.33, bound + step),
                (position + 0.33, bound),
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": INK,
                    "linewidth": 0.9,
                    "mutation_scale": 6,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
                zorder=4,
            )


def _label_rate_categories(axes: Axes, rates: list[float], winners: dict[float, int]) -> None:
    """Rows under the axis, on one baseline each: the rate, and the winners per latent and batch that it gives."""
    axes.set_xlim(-0.6, len(rates) - 0.4)
    axes.set_xticks(np.arange(len(rates)), [""] * len(rates))
    rows = {-11: ["rate", *map(rate_label, rates)], -21: ["winners", *(f"{winners[rate]:,}" for rate in rates)]}
    for down, row in rows.items():
        for position, text in zip([-0.62, *range(len(rates))], row, strict=True):
            axes.annotate(
                text,
                (position, 0),
                xycoords=("data", "axes fraction"),
                xytext=(0, down),
                textcoords="offset points",
                ha="right" if position < 0 else "center",
                va="baseline",
                fontsize=7.5,
                annotation_clip=False,
            )


def rate_label(rate: float) -> str:
    """A rate on an axis: powers of ten below 0.001, else two significant digits."""
    if rate >= 1e-3:
        return f"{rate:.2g}"
    mantissa, exponent = f"{rate:.1e}".split("e")
    power = f"10^{{{int(exponent)}}}"
    return f"${power}$" if mantissa == "1.0" else rf"${mantissa.removesuffix('.0')}{{\times}}{power}$"
