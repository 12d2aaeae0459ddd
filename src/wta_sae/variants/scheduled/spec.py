"""Winner-takes-all that becomes adaptive as the training goes (paper, abstract: adaptive sparsity schedules)."""

from dataclasses import dataclass

from wta_sae.variants.adaptive.spec import AdaptiveOptions
from wta_sae.variants.readout import Look, Readout
from wta_sae.variants.variant import Variant
from wta_sae.variants.variant_options import option


@dataclass(frozen=True)
class ScheduledOptions(AdaptiveOptions):
    """begin, end: shares of the run between which equal parts give way to demand, linearly."""

    begin: float = option(0.2, minimum=0, maximum=1)
    end: float = option(0.6, minimum=0, maximum=1)


SPEC = Variant(
    name="scheduled",
    title="Scheduled WTA",
    budget="k",
    readouts=(Readout("scheduled", "per_latent", "scheduled", Look("Scheduled WTA", "#44AA99", "H", (0, (5, 1)))),),
    options=ScheduledOptions,
)
