"""Config sections as command-line flags."""

import shlex
from collections.abc import Mapping
from typing import Any


def flags(options: Mapping[str, Any]) -> str:
    """A config section as flags: {"batch_tokens": 8, "rates": [0.1, 0.5]} -> "--batch-tokens 8 --rates 0.1 0.5".

    A true value is the flag alone, a false one the flag's negation: {"prepend_bos": False} -> "--no-prepend-bos".
    """
    words = []
    for key, value in options.items():
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
            continue
        values = value if isinstance(value, list | tuple) else [value]
        words += [f"--{flag}", *(shlex.quote(str(item)) for item in values)]
    return " ".join(words)
