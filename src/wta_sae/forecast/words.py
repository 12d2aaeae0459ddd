"""Sizes, times and config values as a person reads them."""

import math
from collections.abc import Mapping, Sized
from typing import Any


def in_words(size: float) -> str:
    """1.5e9 -> "1.5 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def with_value(config: Mapping[str, Any], key: str) -> str:
    """A key with its value, for a line that a user reads: "activations.tokens: 100,000,000"."""
    value: Any = config
    for part in key.split("."):
        value = value[part]
    return f"{key}: {value:,}" if isinstance(value, int) else f"{key}: {value}" if isinstance(value, str) else key


def number_of(jobs: Sized) -> str:
    return f"{len(jobs):,} job{'' if len(jobs) == 1 else 's'}"


def duration(seconds: float) -> str:
    """75 -> "1 min 15 s"; 7500 -> "2 h 5 min"."""
    seconds = math.ceil(seconds)
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
