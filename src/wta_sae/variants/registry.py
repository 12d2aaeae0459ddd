"""All variants, in the order in which tables and figures have them. What trains an SAE does not read it."""

from wta_sae.base.errors import UserError
from wta_sae.variants.batch_topk import spec as batch_topk
from wta_sae.variants.readout import Readout
from wta_sae.variants.topk import spec as topk
from wta_sae.variants.variant import Variant
from wta_sae.variants.wta import spec as wta

_SPECS = (
    wta.SPEC,
    batch_topk.SPEC,
    topk.SPEC,
)
VARIANTS: dict[str, Variant] = {spec.name: spec for spec in _SPECS}
READOUTS: tuple[Readout, ...] = tuple(readout for variant in VARIANTS.values() for readout in variant.readouts)


def variant_named(name: str) -> Variant:
    """Raises UserError for a name that is not registered."""
    if name not in VARIANTS:
        raise UserError(f"saes: unknown variant {name!r}; use one of: {', '.join(VARIANTS)}")
    return VARIANTS[name]
