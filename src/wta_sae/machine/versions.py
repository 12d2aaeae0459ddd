"""The versions of Python and of the libraries that compute."""

import platform
from importlib.metadata import version

LIBRARIES = ("torch", "transformers", "datasets", "safetensors", "numpy", "pandas", "scikit-learn")


def versions() -> dict[str, str]:
    """Of Python and the libraries that compute."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
