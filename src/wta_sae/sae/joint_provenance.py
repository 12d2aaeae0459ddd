"""On what and by which code the SAEs of a run were trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wta_sae.base.errors import UserError
from wta_sae.machine.files import read_json
from wta_sae.plan.sae_files import PROVENANCE_FILE


def joint_provenance(saes: Sequence[Path]) -> dict[str, Any]:
    """Of each entry all the values that these SAEs' files have; versions by library. Raises UserError for a missing file."""
    found = [read_json(Path(sae) / PROVENANCE_FILE) for sae in saes]
    if not found:
        raise UserError("--saes: none given; name the SAEs of the run")
    of_libraries = _distinct([one.pop("versions") for one in found])
    return {**_distinct(found), "versions": of_libraries}


def _distinct(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {key: list(dict.fromkeys(record.get(key) for record in records)) for key in records[0]}
