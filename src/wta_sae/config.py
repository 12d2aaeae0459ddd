"""Checks a run's config against its schema, in one line that names the key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from wta_sae.errors import UserError


def check_config(config: Mapping[str, Any], schema: Path) -> None:
    """Raises UserError for a key that the schema does not know, a missing one, a wrong type or a value out of range."""
    validator = Draft202012Validator(yaml.safe_load(Path(schema).read_text(encoding="utf-8")))
    error = best_match(validator.iter_errors(config))
    if error is not None:
        raise UserError(f"config: {_key(error)}{_message(error)}")


def _key(error: ValidationError) -> str:
    path = ""
    for part in error.absolute_path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"{path[1:]}: " if path else ""


def _message(error: ValidationError) -> str:
    if error.validator == "additionalProperties":
        known = ", ".join(error.schema.get("properties", {}))
        unknown = ", ".join(repr(key) for key in error.instance if key not in error.schema.get("properties", {}))
        return f"unknown key {unknown}; the keys are: {known}"
    if error.validator == "pattern":
        return f"{error.instance!r} is not of the form {error.validator_value}"
    return error.message
