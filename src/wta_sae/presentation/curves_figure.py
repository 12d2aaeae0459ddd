"""The training curves of all SAEs of a run, for its report. The paper has no such figure."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wta_sae.base.errors import UserError
from wta_sae.presentation.style import paper_style
from wta_sae.variants.registry import VARIANTS

LOWEST_SHOWN = -0.25  # explained variance; where training begins it may be far lower
ROWS = (
    ("explained_variance", f"explained variance\n(from {LOWEST_SHOWN:g} up)".replace("-", "\N{MINUS SIGN}")),
    ("l0", "$L_0$"),
    ("dead", "dead latents, %"),
)
PANEL_WIDTH, PANEL_HEIGHT = 1.75, 1.35  # inches


@dataclass(frozen=True)
class TrainingCurve:
    """The curve of an SAE: of what kind it is, but for the seed, and its rows by step, a column a statistic of a batch.

    latents: how many it has. synthetic: whether it was trained on activations of known features.
    """

    variant: str
    kind: str
    latents: int
    synthetic: bool
    rows: pd.DataFrame


def draw_training_curves(curves: Sequence[TrainingCurve]) -> Figure:
    """A column of panels a variant, a colour a kind, a line an SAE; those on synthetic activations in rows of their own.

    Raises UserError where there is no curve.
    """
    if not curves:
        raise UserError("training curves: none; give the directories of SAEs that were trained here")
    groups = [group for group in ([c for c in curves if c.synthetic is on] for on in (False, True)) if group]
    variants = [name for name in VARIANTS if any(curve.variant == name for curve in curves)]
    with paper_style():
        size = (PANEL_WIDTH * len(variants) + 0.7, (PANEL_HEIGHT * len(ROWS) + 1.2) * len(groups))
        figure = Figure(figsize=size, layout="constrained")
        for part, group in zip(figure.subfigures(len(groups), 1, squeeze=False).flat, groups, strict=True):
            part.suptitle("On synthetic activations" if group[0].synthetic else "On the language model's activations")
            panels = part.subplots(len(ROWS), len(variants), sharex=True, sharey="row", squeeze=False)
            for column, name in enumerate(variants):
                own = [curve for curve in group if curve.variant == name]
                panels[0, column].set_title(VARIANTS[name].title)
                _draw_column(list(panels[:, column]), own)
            for axes, (_, label) in zip(panels[:, 0], ROWS, strict=True):
                axes.set_ylabel(label)
            panels[0, 0].set_ylim(LOWEST_SHOWN, 1.02)
            panels[1, 0].set_yscale("log")
            panels[2, 0].set_ylim(-2, None)
    return figure


def _draw_column(panels: list[Axes], curves: list[TrainingCurve]) -> None:
    kinds = list(dict.fromkeys(curve.kind for curve in curves))
    colours = dict(zip(kinds, sns.color_palette("viridis", len(kinds)), strict=True))
    for curve in curves:
        for axes, (statistic, _) in zip(panels, ROWS, strict=True):
            values = curve.rows[statistic] * (100 / curve.latents if statistic == "dead" else 1)
            axes.plot(curve.rows["step"], values, color=colours[curve.kind], linewidth=0.8, alpha=0.8)
    panels[-1].set_xlabel("step")
    handles = [Line2D([], [], color=colour, label=kind) for kind, colour in colours.items()]
    if handles:
        panels[-1].legend(
            handles=handles, loc="upper left", bbox_to_anchor=(-0.05, -0.32), fontsize=6.5, handlelength=1.0, borderaxespad=0
        )
