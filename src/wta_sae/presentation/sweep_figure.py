"""Figure 2 of the paper, rebuilt: core metrics over WTA's sparsity rate."""

from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from wta_sae.presentation.drawing import drawn_values, scale_logarithmically, scale_scores, stroke
from wta_sae.presentation.papers_readouts import BASELINE_READOUTS, WTA_READOUTS, WTA_RELEASED
from wta_sae.presentation.run_metrics import RunMetrics
from wta_sae.presentation.style import BAND, PUBLISHED, RELEASED_UNCENTRED, TEXT_WIDTH, paper_style
from wta_sae.variants.readout import Look

PANELS = (
    ("kl_div_score", "(a) KL divergence score"),
    ("explained_variance", "(b) Explained variance, centred"),
    ("l1", "(c) $L_1$ of the latents"),
    ("frac_alive", "(d) Fraction alive"),
)
UNCENTRED = "explained_variance_saebench"


def draw_figure2(metrics: RunMetrics, published: dict[str, Any], k: int, same_model: bool = False) -> Figure:
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
        shared = [group for group in metrics.groups() if len(group) > 1]
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


def _draw_curves(axes: Axes, metrics: RunMetrics, metric: str, k: int) -> None:
    for readout in WTA_READOUTS:
        axes.plot(*metrics.curve(readout, metric), **stroke(readout.look), zorder=3)
    for readout in BASELINE_READOUTS:
        axes.axhline(metrics.required(readout, metric, k), **_line_across(readout.look), zorder=2)
    if metric == "explained_variance":
        axes.plot(*metrics.curve(WTA_RELEASED, UNCENTRED), **stroke(RELEASED_UNCENTRED), zorder=2.5)


def _line_across(look: Look) -> dict[str, Any]:
    return stroke(look) | {"marker": ""}


def _draw_published(axes: Axes, entries: list[dict[str, Any]], metric: str, same_model: bool) -> None:
    names = {metric, UNCENTRED} if metric == "explained_variance" else {metric}
    for entry in entries:
        if entry["metric"] not in names or (entry["model_bound"] and not same_model):
            continue
        rates, values = zip(*((point["rate"], point["value"]) for point in entry["points"]), strict=True)
        axes.plot(rates, values, **stroke(PUBLISHED), zorder=5)


def _scale(axes: Axes, metric: str) -> None:
    values = drawn_values(axes)
    low, high = values.min(), values.max()
    if metric != "l1":
        scale_scores(axes)
    elif low > 0 and high / low > 10:
        scale_logarithmically(axes, low, high)
    else:
        axes.set_ylim(0, high * 1.08)


def _scale_rates(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=12))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _legend_handles() -> list[Artist]:
    sweep = [*(readout.look for readout in WTA_READOUTS), RELEASED_UNCENTRED]
    baselines = [readout.look for readout in BASELINE_READOUTS]
    return [
        *(Line2D([], [], **stroke(look), label=look.label) for look in sweep),
        *(Line2D([], [], **_line_across(look), label=look.label) for look in baselines),
        Line2D([], [], **stroke(PUBLISHED), label=PUBLISHED.label),
    ]
