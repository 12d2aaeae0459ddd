"""The versions of Python and of the libraries that compute."""

import platform
from importlib.metadata import version

import torch

LIBRARIES = ("transformers", "datasets", "safetensors", "numpy", "pandas", "scikit-learn")


def versions() -> dict[str, str]:
    """Of Python and the libraries that compute; torch's with its build, as +cu130, which its distribution leaves out."""
    others = {name: version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), "torch": str(torch.__version__), **others}
