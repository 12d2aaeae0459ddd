"""Tensors on disk: safetensors files with a digest of their content."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.machine.files import anew, replacing

METADATA_ENTRY = "wta_sae"  # of a safetensors header
DIGEST_KEY = "content_sha256"  # in it, beside what the writer says


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> None:
    """Writes a safetensors file; `metadata` goes into its header as one JSON object, sorted: equal content is equal bytes.

    The header's own entries come in another order each time. Beside the metadata: a digest of the tensors, so that a changed
    byte is noticed when they are read.
    """
    ours = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    entry = {**(metadata or {}), DIGEST_KEY: _tensors_sha256(ours)}
    with replacing(path) as temporary:
        save_file(ours, temporary, {METADATA_ENTRY: json.dumps(entry, sort_keys=True, allow_nan=False)})


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a safetensors file and its metadata.

    Raises UserError where the file is absent or damaged. A file that we did not write carries no digest.
    """
    with _safetensors(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        metadata = _header(file)
        wanted = metadata.pop(DIGEST_KEY, None)
        if wanted not in (None, _tensors_sha256(tensors)):
            raise SafetensorError("its checksum is another")
        return tensors, metadata


def read_tensor_metadata(path: Path) -> dict[str, Any]:
    """The metadata of a safetensors file alone. Raises UserError as `read_tensors`."""
    with _safetensors(path) as file:
        metadata = _header(file)
        metadata.pop(DIGEST_KEY, None)
        return metadata


@contextmanager
def _safetensors(path: Path) -> Iterator[Any]:
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged or half-written ({error}); {anew(path)}") from error


def _header(file: Any) -> dict[str, Any]:
    try:
        return json.loads((file.metadata() or {}).get(METADATA_ENTRY, "{}"))
    except ValueError as error:
        raise SafetensorError(f"its metadata is no JSON: {error}") from error


def _tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Digest of tensors on the CPU: names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)};".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def array_sha256(array: np.ndarray) -> str:
    """Digest of an array's values, shape and type; equal on every machine of the same byte order."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
