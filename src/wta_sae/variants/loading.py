"""One variant by its name, and no other's code: what a training job reads."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from wta_sae.base.errors import UserError
from wta_sae.variants.variant import Variant


def spec_of(name: str) -> Variant:
    """What `wta_sae.variants.NAME.spec` says of the variant. Raises UserError where there is no such variant."""
    return _module_of(name, "spec").SPEC


def rule_of(name: str) -> Any:
    """The class `Rule` in `wta_sae.variants.NAME.rule`, a `wta_sae.codes.variant_rule.VariantRule`. Raises as `spec_of`."""
    return _module_of(name, "rule").Rule


def rule_module(name: str) -> str:
    """As `wta_sae.plan.dependencies.code_sha256` takes it: all of the variant's own code that its training follows.

    Not its spec: what of that reaches training stands in the flags, and a colour is no reason to train again.
    """
    return f"variants.{name}.rule"


def _module_of(name: str, part: str) -> ModuleType:
    known = sorted(file.parent.name for file in Path(__file__).parent.glob("*/spec.py"))
    if name not in known:
        raise UserError(f"saes: unknown variant {name!r}; use one of: {', '.join(known)}")
    return import_module(f"wta_sae.variants.{name}.{part}")
