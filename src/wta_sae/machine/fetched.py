"""What a folder that was fetched from the hub says of where it is from."""

from pathlib import Path
from typing import Any

from wta_sae.machine.files import read_json

ORIGIN_FILE = "fetched.json"  # in a fetched model's folder: its name, revision and commit


def model_origin(directory: Path) -> dict[str, Any]:
    """Name, revision and commit of a model that `wta_sae.machine.hub.fetch_model` fetched; empty for another one."""
    file = Path(directory) / ORIGIN_FILE
    return read_json(file) if file.is_file() else {}
