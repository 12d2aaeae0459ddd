"""Checks a run's config before anything runs: its keys and values, and the folders that it names."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from wta_sae.base.errors import UserError
from wta_sae.plan.labelled_sets import DOCSTRINGS
from wta_sae.plan.papers_variants import COMPARED_IN_PAPER
from wta_sae.variants.registry import VARIANTS


def check_config(config: Mapping[str, Any], schema: Path) -> None:
    """Raises UserError for a key that the schema does not know, a missing one, a wrong type or a value out of range.

    So it does where a variant that the paper compares is left out.

    schema: a file; what it leaves open, the sections of the variants, is their specs' to say.
    """
    whole = yaml.safe_load(Path(schema).read_text(encoding="utf-8"))
    whole["properties"]["saes"]["properties"] = {name: variant.schema() for name, variant in VARIANTS.items()}
    whole["properties"]["large_dictionary"]["properties"]["variants"]["properties"] = {
        name: {"type": "object", "additionalProperties": False, "properties": variant.options.schema()}
        for name, variant in VARIANTS.items()
        if variant.budget == "k"
    }
    error = best_match(Draft202012Validator(whole).iter_errors(config))
    if error is not None:
        raise UserError(f"config: {_key(error)}{_message(error)}")
    for name in COMPARED_IN_PAPER:
        if config["saes"].get(name) is None:
            raise UserError(
                f"config: saes.{name}: there is none, but the paper's tables and figures compare it; give it a budget"
            )
    labelled, packages = config["labelled_texts"], config["text"]["docstrings"]["packages"]
    if labelled["source"] != DOCSTRINGS:
        return
    for label in (*labelled["classes"], *(concept for pair in labelled["pairs"] for concept in pair)):
        if label not in packages:
            known = ", ".join(packages)
            raise UserError(f"config: labelled_texts: {label!r} is not among text.docstrings.packages: {known}")


def check_folder_writable(folder: str) -> None:
    """Raises UserError where a folder cannot be written, or made."""
    path = Path(folder)
    existing = path if path.exists() else path.absolute().parent
    if not existing.is_dir():
        raise UserError(f"{path}: is a file; results need a folder of that name")
    if not os.access(existing, os.W_OK):
        raise UserError(f"{path}: cannot be written; make the folder writable")


def _key(error: ValidationError) -> str:
    path = ""
    for part in error.absolute_path:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"{path[1:]}: " if path else ""


def _message(error: ValidationError) -> str:
    schema: Any = error.schema
    if error.validator == "additionalProperties":
        known = ", ".join(schema.get("properties", {})) or "none"
        unknown = ", ".join(repr(key) for key in error.instance if key not in schema.get("properties", {}))
        return f"unknown key {unknown}; the keys are: {known}"
    if error.validator == "pattern" and "description" in schema:
        return f"{error.instance!r} will not do: {schema['description']}"
    if error.validator == "pattern":
        return f"{error.instance!r} is not of the form {error.validator_value}"
    return error.message
