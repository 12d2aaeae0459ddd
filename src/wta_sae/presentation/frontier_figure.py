"""Figure 3: what each readout loses, against the L0 that it reaches. The paper has no such figure."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wta_sae.base.errors import UserError
from wta_sae.presentation.drawing import scale_losses, stroke, tick_decades
from wta_sae.presentation.papers_readouts import WTA_RELEASED
from wta_sae.presentation.run_metrics import RunMetrics
from wta_sae.presentation.style import INK, TEXT_WIDTH, foreign_look, paper_style
from wta_sae.variants.readout import Look
from wta_sae.variants.registry import variant_named

PANELS = (
    ("explained_variance", "(a) Variance left unexplained, 1 \N{MINUS SIGN} EV"),
    ("ce_loss_score", "(b) CE loss not recovered, 1 \N{MINUS SIGN} score"),
)
AT_K: dict[str, Any] = {"color": INK, "linewidth": 0.6}
LOWEST_RATE: dict[str, Any] = {"markerfacecolor": "white", "markeredgewidth": 1.0}


def draw_figure3(metrics: RunMetrics, k: int) -> Figure:
    """1 - explained variance and 1 - CE loss score against L0: SAEs are comparable where they stand above each other.

    A line joins the SAEs of one readout in the order of their budgets: rates from the lowest, which is hollow, or k. A point
    is the mean over seeds. An SAE from elsewhere is a mark of its own. k: the L0 of the matched comparison, a line down.
    Raises UserError, naming the metric, where the run did not measure a value, and where it has no SAE of its own.
    """
    if not metrics.readouts():
        raise UserError("figure 3: no SAE of this run in the table; evaluate one")
    # The same look in both panels and the legend, also of an SAE that lacks a panel's metric.
    foreign = {name: foreign_look(name, number) for number, name in enumerate(metrics.foreign("l0"))}
    with paper_style():
        figure = Figure(figsize=(TEXT_WIDTH, 2.9), layout="constrained")
        panels = figure.subplots(1, 2, sharex=True)
        for axes, (metric, title) in zip(panels, PANELS, strict=True):
            axes.set_title(title)
            axes.set_xlabel("$L_0$ reached")
            _draw_panel(axes, metrics, metric, foreign)
            axes.axvline(k, **AT_K, zorder=1)
        panels[0].set_xscale("log")
        l0 = np.concatenate([line.get_xdata() for line in panels[0].get_lines()])
        tick_decades(panels[0].xaxis, l0.min(), l0.max())
        figure.legend(handles=_legend_handles(metrics, k, foreign), loc="outside upper center", ncols=4)
    return figure


def _draw_panel(axes: Axes, metrics: RunMetrics, metric: str, foreign: dict[str, Look]) -> None:
    for readout in metrics.readouts():
        l0, losses = metrics.curve(readout, "l0")[1], 1 - metrics.curve(readout, metric)[1]
        axes.plot(l0, losses, **stroke(readout.look), zorder=3)
        if variant_named(readout.variant).budget == "rates":
            axes.plot(l0[:1], losses[:1], **stroke(readout.look) | LOWEST_RATE, zorder=4)
    for name, (one_l0, score) in metrics.foreign("l0", metric).items():
        axes.plot([one_l0], [1 - score], **stroke(foreign[name]), zorder=5)
    scale_losses(axes)


def _legend_handles(metrics: RunMetrics, k: int, foreign: dict[str, Look]) -> list[Line2D]:
    handles = []
    for readout in metrics.readouts():
        label = readout.look.label + (_reach(metrics) if readout == WTA_RELEASED else "")
        handles.append(Line2D([], [], **stroke(readout.look), label=label))
    handles += [Line2D([], [], **stroke(look), label=name) for name, look in foreign.items()]
    handles.append(Line2D([], [], color=INK, linestyle="", marker="o", **LOWEST_RATE, label="hollow: lowest rate"))
    return [*handles, Line2D([], [], **AT_K, label=f"$L_0={k}$")]


def _reach(metrics: RunMetrics) -> str:
    """The released rule's points stand in one column: the rule, not the rate, sets their L0."""
    _, l0 = metrics.curve(WTA_RELEASED, "l0")
    low, high = f"{l0.min():.1f}", f"{l0.max():.1f}"
    return f": $L_0$ {low} at all rates" if low == high else f": $L_0$ {low} to {high} over all rates"
