"""Figure 5: how stable over seeds latents are that are used alike, and how often they are used. Not in the paper."""

from fractions import Fraction

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wta_sae.base.errors import UserError
from wta_sae.metrics.columns import DENSITY_CLASSES
from wta_sae.presentation.drawing import stroke
from wta_sae.presentation.outlook_metrics import CHANCE, Outlook
from wta_sae.presentation.style import INK, TEXT_WIDTH, paper_style
from wta_sae.variants.variant import Variant

PANELS = (("stability", "(a) Cosine with the matched latent of another seed"), ("latents", "(b) Share of latents"))
SMALLEST_CLASS = 0.01  # the share of latents from which on a class's mean is drawn
BAND_OPACITY = 0.15


def draw_figure5(outlook: Outlook) -> Figure:
    """Over classes of density, each twice as high as the one before: a line a variant, with a band of a standard deviation.

    Raises UserError where the table has no SAE that was set beside another seed's.
    """
    variants = [one for one in outlook.variants if outlook.of(one.name, "seed_stability").seeds]
    if not variants:
        raise UserError("figure 5: no SAE beside one of another seed in the table; give the config a second seed")
    with paper_style():
        figure = Figure(figsize=(TEXT_WIDTH, 2.9), layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, (measured, title) in zip(panels, PANELS, strict=True):
            axes.set_title(title)
            axes.set_xlabel("Density of the latent, in units of the mean density")
            for variant in variants:
                _draw_line(axes, outlook, variant, measured)
            # Ticks stand between the classes, where these meet.
            axes.set_xticks([number - 0.5 for number in range(1, len(DENSITY_CLASSES))])
            axes.set_xticklabels([str(Fraction(lowest)) for lowest in DENSITY_CLASSES[1:]])
        panels[0].axhline(outlook.of(variants[0].name, CHANCE).mean, color=INK, linewidth=0.6, zorder=1)
        handles = [Line2D([], [], **stroke(one.readouts[0].look), label=one.title) for one in variants]
        figure.legend(handles=handles, loc="outside upper center", ncols=5)
    return figure


def _draw_line(axes: Axes, outlook: Outlook, variant: Variant, measured: str) -> None:
    """Over the classes that hold enough of the variant's latents, or over all for their shares."""
    classes, found = [], []
    for number, lowest in enumerate(DENSITY_CLASSES):
        share = outlook.of(variant.name, f"latents_at_density_{lowest:g}").mean
        if measured == "latents" or share >= SMALLEST_CLASS:
            classes.append(number)
            found.append(outlook.of(variant.name, f"{measured}_at_density_{lowest:g}"))
    look = variant.readouts[0].look
    low, high = ([one.mean + sign * one.spread for one in found] for sign in (-1, 1))
    axes.fill_between(classes, low, high, color=look.colour, alpha=BAND_OPACITY, linewidth=0)
    axes.plot(classes, [one.mean for one in found], **stroke(look))
