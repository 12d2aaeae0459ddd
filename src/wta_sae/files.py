"""Files on disk: written whole or not at all, read with a clear word when they are damaged."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from wta_sae.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` (a file or a directory): it takes its place when the block ends well, else it goes.

    Raises UserError where the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.partial")  # one name: what a killed job left is cleared by the next
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(temporary)
        yield temporary
        if path.is_dir():
            _remove(path)
        temporary.replace(path)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise UserError(f"{error.filename or path}: cannot be written ({error.strerror}); make the folder writable") from error
    except OSError as error:
        raise UserError(
            f"{path}: writing failed ({error.strerror or error}); free disk space or choose another folder"
        ) from error
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.parent.is_dir():
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as JSON. Raises ValueError for NaN and infinity, which JSON has no word for."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); delete it and run again") from error


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any] | None = None) -> None:
    """Writes a safetensors file; `metadata` goes into its header, each value as JSON."""
    header = {key: json.dumps(value) for key, value in (metadata or {}).items()}
    with replacing(path) as temporary:
        try:
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary, header)
        except SafetensorError as error:  # how the library reports a full disk
            raise OSError(str(error)) from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a safetensors file and its metadata. Raises UserError where the file is absent or damaged."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            metadata = {key: json.loads(value) for key, value in (file.metadata() or {}).items() if _is_json(value)}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged or half-written ({error}); delete it and run again") from error
    return tensors, metadata


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def file_sha256(path: Path) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def array_sha256(array: np.ndarray) -> str:
    """Digest of an array's values, shape and type; equal on every machine of the same byte order."""
    header = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()
