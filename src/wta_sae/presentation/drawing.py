"""What the figures share: strokes, scales of scores, files with the same bytes at every build."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from wta_sae.machine.files import replacing
from wta_sae.presentation.style import PUBLISHED, paper_style
from wta_sae.variants.readout import Look

LINEAR_DOWN_TO = -1.0
"""Where a score falls far below zero (an explained variance of -100 is possible), the scale below this is logarithmic."""
LINEAR_LOSSES_TO = 0.01
"""What a score lacks of 1 may be nothing or less; the scale below this is then linear."""
PNG_DPI = 220


def stroke(look: Look) -> dict[str, Any]:
    """A look as the arguments of matplotlib's Line2D. Published points are hollow: they are not this run's."""
    stroke = {
        "color": look.colour,
        "linestyle": look.line,
        "linewidth": look.width,
        "marker": look.marker,
        "markersize": look.size,
    }
    return stroke | ({"markerfacecolor": "none"} if look is PUBLISHED else {"markeredgewidth": 0})


def scale_scores(axes: Axes) -> None:
    """The y axis of a score up to 1, to hold all lines that are drawn; one far below zero does not flatten the rest.

    A score may pass 1: a reconstruction can predict better than a weak language model's own activations.
    """
    lowest, highest = drawn_values(axes).min(), max(drawn_values(axes).max(), 1.0)
    if lowest < 2 * LINEAR_DOWN_TO:
        _scale_far_below_zero(axes, lowest, highest)
    else:
        margin = 0.07 * max(highest - lowest, 0.01)
        axes.set_ylim(lowest - margin, highest + margin)


def scale_losses(axes: Axes) -> None:
    """The y axis of what scores lack of 1, to hold all lines drawn: logarithmic, and linear near zero where one passes 1.

    One may: a reconstruction can predict better than a weak language model's own activations.
    """
    low, high = drawn_values(axes).min(), drawn_values(axes).max()
    if low > 0:
        scale_logarithmically(axes, low, high)
    else:
        axes.set_yscale("symlog", linthresh=LINEAR_LOSSES_TO)
        axes.set_ylim(min(1.5 * low, -LINEAR_LOSSES_TO / 2), high * 1.5)
        axes.set_title(f"{axes.get_title(loc='left')} (linear below {LINEAR_LOSSES_TO:g})")


def scale_logarithmically(axes: Axes, low: float, high: float) -> None:
    axes.set_yscale("log")
    tick_decades(axes.yaxis, low, high)
    axes.set_ylim(low / 1.25, high * 1.25)


def tick_decades(axis: Axis, low: float, high: float) -> None:
    """Plain numbers along a logarithmic axis, also between the decades where low to high spans fewer than two."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda level, _: f"{level:,g}"))
    axis.set_minor_locator(NullLocator())


def drawn_values(axes: Axes) -> np.ndarray:
    """The y values of all lines."""
    return np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.get_lines()])


def _scale_far_below_zero(axes: Axes, low: float, high: float) -> None:
    """Linear from -1 up, logarithmic below, and says so in the title."""
    axes.set_yscale("symlog", linthresh=-LINEAR_DOWN_TO, linscale=1.5)
    axes.set_ylim(low * 1.6, high + 0.15)
    decades = range(int(np.log10(-low * 1.6)), -1, -1)
    axes.yaxis.set_major_locator(FixedLocator([*(-(10.0**power) for power in decades), -0.5, 0, 0.5, 1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda level, _: f"{level:,g}".replace("-", "\N{MINUS SIGN}")))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_title(f"{axes.get_title(loc='left')} (log scale below \N{MINUS SIGN}1)")


def save_figure(figure: Figure, pdf_path: Path, png_path: Path) -> None:
    """Writes the figure as vector PDF and as PNG, each whole or not at all, without a date in it.

    Raises UserError where a folder cannot be written.
    """
    with paper_style():
        with replacing(Path(pdf_path)) as temporary:
            figure.savefig(temporary, format="pdf", metadata={"CreationDate": None})
        with replacing(Path(png_path)) as temporary:
            figure.savefig(temporary, format="png", dpi=PNG_DPI, metadata={"Software": None})
