"""Figure 4: what each variant gives back and finds of true features, over how unequally often these fire. Not in the paper."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wta_sae.base.errors import UserError
from wta_sae.presentation.drawing import stroke
from wta_sae.presentation.style import TEXT_WIDTH, paper_style
from wta_sae.presentation.synthetic_metrics import SyntheticMetrics

PANELS = (
    ("explained_variance", "(a) Explained variance"),
    ("matched_cosine", "(b) Cosine with the matched feature"),
    ("features_found", "(c) Share of true features found"),
)
BAND_OPACITY = 0.15


def draw_figure4(metrics: SyntheticMetrics) -> Figure:
    """A line a variant over the exponents, with a band of a standard deviation over seeds on either side of the mean.

    Raises UserError where the table has no SAE of synthetic activations.
    """
    if not metrics.exponents:
        raise UserError("figure 4: no SAE of synthetic activations in the table; give the config a section `synthetic`")
    with paper_style():
        figure = Figure(figsize=(TEXT_WIDTH, 2.7), layout="constrained")
        for axes, (metric, title) in zip(figure.subplots(1, 3), PANELS, strict=True):
            axes.set_title(title)
            axes.set_xlabel("Zipf exponent of the features")
            axes.set_xticks(metrics.exponents)
            _draw_panel(axes, metrics, metric)
        handles = [Line2D([], [], **stroke(one.readouts[0].look), label=one.title) for one in metrics.variants]
        figure.legend(handles=handles, loc="outside upper center", ncols=5)
    return figure


def _draw_panel(axes: Axes, metrics: SyntheticMetrics, metric: str) -> None:
    for variant in metrics.variants:
        found = [metrics.of(variant.name, metric, exponent) for exponent in metrics.exponents]
        look = variant.readouts[0].look
        means = [one.mean for one in found]
        low, high = ([one.mean + sign * one.spread for one in found] for sign in (-1, 1))
        axes.fill_between(metrics.exponents, low, high, color=look.colour, alpha=BAND_OPACITY, linewidth=0)
        axes.plot(metrics.exponents, means, **stroke(look))
