"""In what an SAE was trained otherwise than it is used: key -> both values."""

from typing import Any, TypedDict


class Difference(TypedDict):
    trained: Any
    here: Any


Differences = dict[str, Difference]
