"""What computes a result: what an interrupted job left is taken over by the same alone."""

import platform
from importlib.metadata import version
from typing import Any

from wta_sae.workflow import code_sha256

LIBRARIES = ("torch", "transformers", "datasets", "safetensors", "numpy", "pandas", "scikit-learn")


def computed_by(stage: str) -> dict[str, Any]:
    """The code and the libraries of a stage."""
    return {"code": code_sha256(stage), "versions": versions()}


def versions() -> dict[str, str]:
    """Of Python and the libraries that compute."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
