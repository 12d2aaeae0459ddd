"""What the paper prints: its numbers, and who contributed what."""

from pathlib import Path
from typing import Any

import yaml

from wta_sae.base.errors import UserError


def read_published(path: Path) -> dict[str, Any]:
    """The paper's numbers (`paper/published.yaml`). Raises UserError where the file is absent, not YAML, or lacks a section."""
    published = _read_yaml(path)
    for section in ("setup", "rows", "figure1", "figure2"):
        if section not in published:
            raise UserError(f"{path}: lacks the section {section!r}")
    return published


def read_contributions(path: Path) -> dict[str, Any]:
    """The paper's Table 2 (`paper/contributions.yaml`). Raises UserError where the file is absent, not YAML, or has no list."""
    contributions = _read_yaml(path)
    if not contributions.get("contributors"):
        raise UserError(f"{path}: lacks the list 'contributors'")
    return contributions


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: a mapping is expected at the top level")
    return content
