"""Models from the hub: safetensors weights and JSON only, no pickle, no code."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

from wta_sae.errors import UserError, first_line
from wta_sae.files import replacing

FILES = ["*.safetensors", "*.json", "merges.txt", "vocab.txt"]


def fetch_model(name: str, revision: str, directory: Path) -> None:
    """Downloads a model into `directory`. Raises UserError, naming what to do instead, where the hub is out of reach."""
    with replacing(directory) as temporary:
        try:
            snapshot_download(name, revision=revision, local_dir=temporary, allow_patterns=FILES)
        except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError, ValueError) as error:
            raise UserError(
                f"{name} at revision {revision} could not be fetched from the hub ({first_line(error)}); download it "
                "elsewhere and set language_model.source: path, language_model.path: its folder"
            ) from error
