"""All variants, in the order in which tables and figures have them. What trains an SAE does not read it."""

from wta_sae.base.errors import UserError
from wta_sae.variants.adaptive import spec as adaptive
from wta_sae.variants.batch_topk import spec as batch_topk
from wta_sae.variants.hybrid_batch import spec as hybrid_batch
from wta_sae.variants.hybrid_token import spec as hybrid_token
from wta_sae.variants.jumprelu import spec as jumprelu
from wta_sae.variants.readout import Readout
from wta_sae.variants.scheduled import spec as scheduled
from wta_sae.variants.topk import spec as topk
from wta_sae.variants.variant import Variant
from wta_sae.variants.wta import spec as wta
from wta_sae.variants.wta_density import spec as wta_density

_SPECS = (
    wta.SPEC,
    batch_topk.SPEC,
    topk.SPEC,
    jumprelu.SPEC,
    hybrid_batch.SPEC,
    hybrid_token.SPEC,
    adaptive.SPEC,
    scheduled.SPEC,
    wta_density.SPEC,
)
VARIANTS: dict[str, Variant] = {spec.name: spec for spec in _SPECS}
READOUTS: tuple[Readout, ...] = tuple(readout for variant in VARIANTS.values() for readout in variant.readouts)


def variant_named(name: str) -> Variant:
    """Raises UserError for a name that is not registered."""
    if name not in VARIANTS:
        raise UserError(f"saes: unknown variant {name!r}; use one of: {', '.join(VARIANTS)}")
    return VARIANTS[name]
