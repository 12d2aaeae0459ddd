"""One look for every figure: the paper's Times-like fonts, its column widths, what is no variant's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import seaborn as sns

from wta_sae.variants.readout import Look

TEXT_WIDTH = 6.875
"""Inches, of both columns with the gap between them (`paper/main.tex` sets the same)."""

INK = "#222222"
BAND = "#f0f0f0"
GRID = "#e4e4e4"


FOREIGN_COLOURS, FOREIGN_MARKERS = ("#E69F00", "#56B4E9", "#CC79A7", "#000000"), ("*", "P", "X", "p")  # of SAEs from elsewhere
RELEASED_UNCENTRED = Look("WTA, released, not centred (b)", "#D55E00", "", (0, (1, 1)), width=0.9)
PUBLISHED = Look("WTA, published (b: not centred)", "#000000", "D", "", size=4.6)


def foreign_look(name: str, number: int) -> Look:
    """Of the SAE from elsewhere with that number: a mark alone."""
    colour, marker = FOREIGN_COLOURS[number % len(FOREIGN_COLOURS)], FOREIGN_MARKERS[number % len(FOREIGN_MARKERS)]
    return Look(name, colour, marker, "", size=7.0)


SETTINGS: dict[Any, Any] = {
    "font.family": ["STIXGeneral"],  # bundled with matplotlib; Times-like, as the paper's body
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.bottom": True,
    "ytick.left": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.6,
    "legend.frameon": False,
    "legend.handlelength": 2.0,
    "legend.columnspacing": 1.4,
    "pdf.fonttype": 42,  # text stays text
    "figure.dpi": 100,
}


@contextmanager
def paper_style() -> Iterator[None]:
    """matplotlib's settings for the paper, inside the block only."""
    with mpl.rc_context(), sns.axes_style("ticks"):
        mpl.rcParams.update(SETTINGS)
        yield
