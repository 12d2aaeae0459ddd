"""At which budget the SAEs of a run are compared."""

from collections.abc import Mapping
from typing import Any


def matched_rate(config: Mapping[str, Any]) -> float:
    """The rate at which WTA's budget is Table 1's k: k / F."""
    return config["paper"]["table1_k"] / config["training"]["latents"]
