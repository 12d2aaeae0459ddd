"""Values that may be absent, where they must not be."""

from typing import TypeVar

T = TypeVar("T")


def given(value: T | None, what: str) -> T:
    """The value. Raises ValueError, saying what is missing, where it is None."""
    if value is None:
        raise ValueError(f"{what} is missing")
    return value
