"""Figure 3: how well each readout reconstructs, against the L0 that it reaches. The paper has no such figure."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wta_sae.base.errors import UserError
from wta_sae.presentation.drawing import save_figure, scale_scores, stroke, tick_decades
from wta_sae.presentation.metrics_table import curve, foreign_values, readouts_in
from wta_sae.presentation.papers_readouts import WTA_RELEASED
from wta_sae.presentation.style import INK, TEXT_WIDTH, foreign_look, paper_style
from wta_sae.variants.readout import Look, Readout
from wta_sae.variants.registry import variant_named

PANELS = (
    ("explained_variance", "(a) Explained variance, centred"),
    ("ce_loss_score", "(b) CE loss score"),
)
AT_K = {"color": INK, "linewidth": 0.6}
LOWEST_RATE = {"markerfacecolor": "white", "markeredgewidth": 1.0}


def draw_figure3(metrics: pd.DataFrame, k: int) -> Figure:
    """Explained variance and CE loss score against L0, both as measured: SAEs are comparable where they stand above each other.

    A line joins the SAEs of one readout in the order of their budgets: rates from the lowest, which is hollow, or k. A point
    is the mean over seeds. An SAE from elsewhere is a mark of its own. k: the L0 of the matched comparison, a line down.
    Raises UserError, naming the metric, where the run did not measure a value, and where it has no SAE of its own.
    """
    readouts = readouts_in(metrics)
    if not readouts:
        raise UserError("figure 3: no SAE of this run in the table; evaluate one")
    foreign = _foreign_looks(metrics)
    with paper_style():
        figure = Figure(figsize=(TEXT_WIDTH, 2.9), layout="constrained")
        panels = figure.subplots(1, 2, sharex=True)
        for axes, (metric, title) in zip(panels, PANELS, strict=True):
            for readout in readouts:
                _draw_readout(axes, metrics, readout, metric)
            for name, (l0, value) in foreign_values(metrics, "l0", metric).items():
                axes.plot(l0, value, **stroke(foreign[name]), zorder=5)
            axes.set_title(title)
            axes.set_xlabel("$L_0$ reached")
            scale_scores(axes)
            axes.axvline(k, **AT_K, zorder=1)
        panels[0].set_xscale("log")
        foreign_l0 = [value for (value,) in foreign_values(metrics, "l0").values()]
        l0 = np.concatenate([*(curve(metrics, readout, "l0")[1] for readout in readouts), foreign_l0])
        tick_decades(panels[0].xaxis, l0.min(), l0.max())
        figure.legend(handles=_legend_handles(metrics, k), loc="outside upper center", ncols=4)
    return figure


def _foreign_looks(metrics: pd.DataFrame) -> dict[str, Look]:
    """The same in both panels and the legend, also of an SAE that lacks a panel's metric."""
    return {name: foreign_look(name, number) for number, name in enumerate(foreign_values(metrics, "l0"))}


def _draw_readout(axes: Axes, metrics: pd.DataFrame, readout: Readout, metric: str) -> None:
    look = readout.look
    (_, l0), (_, values) = curve(metrics, readout, "l0"), curve(metrics, readout, metric)
    axes.plot(l0, values, **stroke(look), zorder=3)
    if variant_named(readout.variant).budget == "rates":
        axes.plot(l0[0], values[0], **stroke(look) | LOWEST_RATE, zorder=4)


def _legend_handles(metrics: pd.DataFrame, k: int) -> list[Line2D]:
    handles = []
    for readout in readouts_in(metrics):
        label = readout.look.label + (_reach(metrics) if readout == WTA_RELEASED else "")
        handles.append(Line2D([], [], **stroke(readout.look), label=label))
    handles += [Line2D([], [], **stroke(look), label=name) for name, look in _foreign_looks(metrics).items()]
    handles.append(Line2D([], [], color=INK, linestyle="", marker="o", **LOWEST_RATE, label="hollow: lowest rate"))
    return [*handles, Line2D([], [], **AT_K, label=f"$L_0={k}$")]


def _reach(metrics: pd.DataFrame) -> str:
    """The released rule's points stand in one column: the rule, not the rate, sets their L0."""
    _, l0 = curve(metrics, WTA_RELEASED, "l0")
    low, high = f"{l0.min():.1f}", f"{l0.max():.1f}"
    return f": $L_0$ {low} at all rates" if low == high else f": $L_0$ {low} to {high} over all rates"


def write_figure3(pdf_path: Path, png_path: Path, metrics: pd.DataFrame, k: int) -> None:
    """`draw_figure3` into files."""
    save_figure(draw_figure3(metrics, k), pdf_path, png_path)
