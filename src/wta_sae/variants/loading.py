"""One variant by its name, and no other's code: what a training job reads."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from wta_sae.base.errors import UserError
from wta_sae.variants.variant import Variant


def spec_of(name: str) -> Variant:
    """What `wta_sae.variants.NAME.spec` says of the variant. Raises UserError where there is no such variant."""
    return _module_of(name, "spec").SPEC


def rule_of(name: str) -> ModuleType:
    """`wta_sae.variants.NAME.rule`: how the variant picks the active latents of a training batch.

    select(pre_BF, k): the plain rule, dense, from pre-activations after the ReLU. select_pairs, select_dense: its fast forms
    for a CPU and a GPU, of pre-activations before the ReLU; where ties at the cut leave a choice, the first in order of token
    and latent. LATENTS_FIRST: whether it reads a latent's tokens as neighbours in memory, rather than a token's latents.
    Raises UserError as `spec_of`.
    """
    return _module_of(name, "rule")


def modules_of(name: str) -> tuple[str, ...]:
    """The variant's own modules, as `wta_sae.plan.dependencies.code_sha256` takes them."""
    return f"variants.{name}.spec", f"variants.{name}.rule"


def _module_of(name: str, part: str) -> ModuleType:
    known = sorted(file.parent.name for file in Path(__file__).parent.glob("*/spec.py"))
    if name not in known:
        raise UserError(f"saes: unknown variant {name!r}; use one of: {', '.join(known)}")
    return import_module(f"wta_sae.variants.{name}.{part}")
