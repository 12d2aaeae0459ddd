"""All variants. Only what speaks of all of them reads this file: a line here trains no SAE anew."""

from wta_sae.base.errors import UserError
from wta_sae.variants.batch_topk import spec as batch_topk
from wta_sae.variants.topk import spec as topk
from wta_sae.variants.variant import Variant
from wta_sae.variants.wta import spec as wta

VARIANTS = {"topk": topk.SPEC, "batch_topk": batch_topk.SPEC, "wta": wta.SPEC}


def variant_named(name: str) -> Variant:
    """Raises UserError for a name that is not registered."""
    if name not in VARIANTS:
        raise UserError(f"saes: unknown variant {name!r}; use one of: {', '.join(VARIANTS)}")
    return VARIANTS[name]
