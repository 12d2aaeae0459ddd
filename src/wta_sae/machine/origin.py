"""What computes a result: what an interrupted job left is taken over by the same alone."""

from typing import Any

from wta_sae.machine.versions import versions
from wta_sae.plan.dependencies import code_sha256


def computed_by(stage: str, *modules: str) -> dict[str, Any]:
    """The code and the libraries of a stage. modules: as `code_sha256` takes them."""
    return {"code": code_sha256(stage, *modules), "versions": versions()}
