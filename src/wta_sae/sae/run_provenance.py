"""What a run's results are of: its configuration, text, models and SAEs, and on what and by which code they were made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wta_sae.base.errors import UserError
from wta_sae.machine.files import file_sha256, read_json
from wta_sae.plan.sae_files import PROVENANCE_FILE, THRESHOLDS_FILE, WEIGHTS_FILE
from wta_sae.sae.saelens_config import read_metadata
from wta_sae.text.token_files import token_metadata


def run_provenance(
    config: Mapping[str, Any],
    saes: Sequence[Path],
    imported: Sequence[Path],
    token_files: Sequence[Path],
    texts: Sequence[Path],
) -> dict[str, Any]:
    """The same bytes for the same run on the same machine: no time, no place.

    config: as the workflow resolved it, the seeds among it. saes: those trained here; imported: from elsewhere, their checksums
    alone. texts: files of labelled texts. Beside `joint_provenance`: `language_models`, those that the SAEs read, with the
    digest of their weights and the hub's commit; `tokens`, what each token file says of itself, with the revision and the
    digest of its text; the checksums (SHA-256) of labelled texts and of each SAE's weights and thresholds. Raises UserError
    for a missing file.
    """
    found = [read_metadata(sae) for sae in saes]
    models = [
        {"name": one["model_name"], "sha256": one["model_sha256"], "commit": one["model_commit"], "hook": one["hook_name"]}
        for one in found
        if "synthetic" not in one
    ]
    return {
        **joint_provenance(saes),
        "config": config,
        "language_models": [model for number, model in enumerate(models) if model not in models[:number]],
        "tokens": {path.stem: token_metadata(path) for path in token_files},
        "labelled_texts": {"/".join(path.with_suffix("").parts[-2:]): file_sha256(path) for path in texts},
        "saes": {sae.name: _checksums(sae) for sae in (*saes, *imported)},
    }


def joint_provenance(saes: Sequence[Path]) -> dict[str, Any]:
    """Of each entry all the values that these SAEs' files have; versions by library. Raises UserError for a missing file."""
    found = [read_json(Path(sae) / PROVENANCE_FILE) for sae in saes]
    if not found:
        raise UserError("--saes: none given; name the SAEs of the run")
    of_libraries = _distinct([one.pop("versions") for one in found])
    return {**_distinct(found), "versions": of_libraries}


def _distinct(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {key: list(dict.fromkeys(record.get(key) for record in records)) for key in records[0]}


def _checksums(sae: Path) -> dict[str, str]:
    return {file: file_sha256(sae / file) for file in (WEIGHTS_FILE, THRESHOLDS_FILE) if (sae / file).is_file()}
