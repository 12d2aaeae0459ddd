"""The configuration of a run that is there as a bundle alone."""

import json
import zipfile
from pathlib import Path
from typing import Any

from wta_sae.base.errors import UserError

RUN_CONFIG = "config.json"  # in a bundle, as in a run's folder


def bundled_config(bundle: str) -> dict[str, Any]:
    """Raises UserError where the file is absent, or no bundle of a run."""
    if not Path(bundle).is_file():
        raise UserError(f"config: bundle: {bundle}: no such file; `snakemake results/bundle.zip` makes one of a run")
    try:
        with zipfile.ZipFile(bundle) as file:
            return json.loads(file.read(RUN_CONFIG))
    except (zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        raise UserError(f"config: bundle: {bundle}: no bundle of a run, or a damaged one ({error})") from error
