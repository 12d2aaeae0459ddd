"""Figures 1 and 2 of the paper, rebuilt; vector PDF and PNG with the same bytes at every build."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from wta_sae.errors import UserError
from wta_sae.files import replacing
from wta_sae.presentation.metrics_table import (
    BASELINE_READOUTS,
    WTA_READOUTS,
    curve,
    runs_of_shared_saes,
    value,
    winners_by_rate,
)
from wta_sae.presentation.style import BAND, INK, LOOKS, PUBLISHED, RELEASED_UNCENTRED, TEXT_WIDTH, Look, paper_style

PANELS = (
    ("kl_div_score", "(a) KL divergence score"),
    ("explained_variance", "(b) Explained variance, centred"),
    ("l1", "(c) $L_1$ of the latents"),
    ("frac_alive", "(d) Fraction alive"),
)
UNCENTRED = "explained_variance_saebench"
LINEAR_DOWN_TO = -1.0
"""Where a score falls far below zero (an explained variance of -100 is possible), the scale below this is logarithmic."""
MEDIANS_AT = 1.1
"""Height of Figure 1's row of written medians, above the largest possible cosine."""
PNG_DPI = 220


def draw_figure1(cosines_by_rate: dict[float, np.ndarray], published: dict[str, Any], winners: dict[float, int]) -> Figure:
    """Figure 1: the distribution over latents of the cosine between encoder and decoder vector; one violin a WTA rate.

    cosines_by_rate: one value a latent for each nominal rate. winners: winners per latent at each rate (`winners_by_rate`);
    without it, rates with equal cosines count as one SAE. published: bounds on the medians, from the paper's section 5.2.
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
    shared = {rate: winners[rate] for rate in rates}

    with paper_style():
        figure = Figure(figsize=(TEXT_WIDTH, 2.3), layout="constrained")
        axes = figure.subplots()
        _draw_violins(axes, rates, cosines, list(runs_of_shared_saes(shared)))
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
        if all(len(group) == 1 for group in runs_of_shared_saes(shared)):
            del handles[1]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _draw_violins(axes: Axes, rates: list[float], cosines: list[np.ndarray], groups: list[list[float]]) -> None:
    positions = np.arange(len(rates))
    axes.grid(axis="x", visible=False)
    for group in groups:
        if len(group) > 1:
            first, last = rates.index(group[0]), rates.index(group[-1])
            axes.axvspan(first - 0.46, last + 0.46, color=BAND, linewidth=0, zorder=0)
    parts = axes.violinplot(cosines, positions, widths=0.82, showextrema=False, points=160)
    for body in parts["bodies"]:
        body.set(facecolor="#9ecae1", edgecolor="#2b6a99", linewidth=0.6, alpha=1, zorder=2)
    for position, values in zip(positions, cosines, strict=True):
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


def _label_rate_categories(axes: Axes, rates: list[float], winners: dict[float, int] | None) -> None:
    """Rows under the axis, on one baseline each: the rate, and the winners per latent and batch that it gives."""
    axes.set_xlim(-0.6, len(rates) - 0.4)
    axes.set_xticks(np.arange(len(rates)), [""] * len(rates))
    rows = [["rate", *(rate_label(rate) for rate in rates)]]
    if winners is not None:
        rows.append(["winners", *(f"{winners[rate]:,}" for rate in rates)])
    for down, row in zip((-11, -21), rows, strict=False):
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


def draw_figure2(metrics: pd.DataFrame, published: dict[str, Any], k: int, same_model: bool = False) -> Figure:
    """Figure 2: KL score, explained variance, L1 and fraction alive over WTA's rate; a line an inference rule.

    k: the baselines' active latents a token. same_model: whether the run uses the paper's language model; published points in
    units of its activations (L1) are drawn only then. The explained variance is the centred one; the published points
    (section 5.2, Table 1) are SAEBench's uncentred one, so the released rule's uncentred line is drawn with them. The
    baselines are lines across.
    Raises UserError, naming the metric, where the run did not measure one that the figure shows.
    """
    with paper_style():
        figure = Figure(figsize=(TEXT_WIDTH, 4.0), layout="constrained")
        panels = figure.subplots(2, 2, sharex=True).flatten()
        for axes, (metric, title) in zip(panels, PANELS, strict=True):
            _draw_curves(axes, metrics, metric, k)
            _draw_published(axes, published["figure2"], metric, same_model)
            axes.set_title(title)
            _scale(axes, metric)
        shared = [group for group in runs_of_shared_saes(winners_by_rate(metrics)) if len(group) > 1]
        for axes in panels:
            _scale_rates(axes)
            for group in shared:
                axes.axvspan(group[0], group[-1], color=BAND, linewidth=0, zorder=0)
        for axes in panels[2:]:
            axes.set_xlabel("WTA sparsity rate")
        handles = _legend_handles()
        if shared:
            handles.append(Patch(facecolor=BAND, label="rates that share one SAE"))
        figure.legend(handles=handles, loc="outside upper center", ncols=4)
    return figure


def _draw_curves(axes: Axes, metrics: pd.DataFrame, metric: str, k: int) -> None:
    for readout in WTA_READOUTS:
        look = LOOKS[readout.variant, readout.inference]
        rates, values = curve(metrics, readout.inference, metric)
        axes.plot(rates, values, **_stroke(look), zorder=3)
    for readout in BASELINE_READOUTS:
        look = LOOKS[readout.variant, readout.inference]
        level = value(metrics, variant=readout.variant, inference=readout.inference, metric=metric, k=k)
        if level is None:
            raise UserError(
                f"metrics: {metric!r} of {readout.variant}, read out by {readout.inference!r}, is missing; evaluate it"
            )
        axes.axhline(level, **_stroke(look), zorder=2)
    if metric == "explained_variance":
        axes.plot(*curve(metrics, "released", UNCENTRED), **_stroke(RELEASED_UNCENTRED), zorder=2.5)


def _stroke(look: Look) -> dict[str, Any]:
    """A look as the arguments of matplotlib's Line2D. Published points are hollow: they are not this run's."""
    stroke = {
        "color": look.colour,
        "linestyle": look.line,
        "linewidth": look.width,
        "marker": look.marker,
        "markersize": look.size,
    }
    return stroke | ({"markerfacecolor": "none"} if look is PUBLISHED else {"markeredgewidth": 0})


def _draw_published(axes: Axes, entries: list[dict[str, Any]], metric: str, same_model: bool) -> None:
    names = {metric, UNCENTRED} if metric == "explained_variance" else {metric}
    for entry in entries:
        if entry["metric"] not in names or (entry["model_bound"] and not same_model):
            continue
        rates, values = zip(*((point["rate"], point["value"]) for point in entry["points"]), strict=True)
        axes.plot(rates, values, **_stroke(PUBLISHED), zorder=5)


def _drawn_values(axes: Axes) -> np.ndarray:
    return np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()])


def _scale(axes: Axes, metric: str) -> None:
    values = _drawn_values(axes)
    low, high = values.min(), values.max()
    if metric == "l1":
        if low > 0 and high / low > 10:
            _scale_logarithmically(axes, low, high)
        else:
            axes.set_ylim(0, high * 1.08)
    elif low < 2 * LINEAR_DOWN_TO:
        _scale_far_below_zero(axes, low)
    else:
        margin = 0.07 * max(1 - low, 0.01)
        axes.set_ylim(low - margin, 1 + margin)


def _scale_logarithmically(axes: Axes, low: float, high: float) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda level, _: f"{level:,g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(low / 1.25, high * 1.25)


def _scale_far_below_zero(axes: Axes, low: float) -> None:
    """Linear from -1 up, logarithmic below, and says so in the title."""
    axes.set_yscale("symlog", linthresh=-LINEAR_DOWN_TO, linscale=1.5)
    axes.set_ylim(low * 1.6, 1.15)
    decades = range(int(np.log10(-low * 1.6)), -1, -1)
    axes.yaxis.set_major_locator(FixedLocator([*(-(10.0**power) for power in decades), -0.5, 0, 0.5, 1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda level, _: f"{level:,g}".replace("-", "\N{MINUS SIGN}")))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title(f"{axes.get_title(loc='left')} (log scale below \N{MINUS SIGN}1)")


def _scale_rates(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=12))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _legend_handles() -> list[Line2D]:
    looks = [LOOKS[readout.variant, readout.inference] for readout in WTA_READOUTS]
    looks += [RELEASED_UNCENTRED, *(LOOKS[readout.variant, readout.inference] for readout in BASELINE_READOUTS), PUBLISHED]
    return [Line2D([], [], **_stroke(look), label=look.label) for look in looks]


def save_figure(figure: Figure, pdf_path: Path, png_path: Path) -> None:
    """Writes the figure as vector PDF and as PNG, each whole or not at all, without a date in it.

    Raises UserError where a folder cannot be written.
    """
    with paper_style():
        with replacing(Path(pdf_path)) as temporary:
            figure.savefig(temporary, format="pdf", metadata={"CreationDate": None})
        with replacing(Path(png_path)) as temporary:
            figure.savefig(temporary, format="png", dpi=PNG_DPI, metadata={"Software": None})


def write_figure1(
    pdf_path: Path,
    png_path: Path,
    cosines_by_rate: dict[float, np.ndarray],
    published: dict[str, Any],
    winners: dict[float, int],
) -> None:
    """`draw_figure1` into files."""
    save_figure(draw_figure1(cosines_by_rate, published, winners), pdf_path, png_path)


def write_figure2(
    pdf_path: Path, png_path: Path, metrics: pd.DataFrame, published: dict[str, Any], k: int, same_model: bool = False
) -> None:
    """`draw_figure2` into files."""
    save_figure(draw_figure2(metrics, published, k, same_model), pdf_path, png_path)
