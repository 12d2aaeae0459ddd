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

METADATA_ENTRY = "wta_sae"  # of a safetensors header


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` (a file or a directory): it takes its place when the block ends well, else it goes.

    Raises UserError where the folder cannot be written.
    """
    path = Path(path)
    temporary = partial_path(path)  # one name: what a killed job left is cleared by the next
    try:
        with _writing(path):
            _remove(temporary)
            yield temporary
            _take_the_place(temporary, path)
    finally:
        _remove(temporary)


@contextmanager
def resuming(path: Path, origin: Any) -> Iterator[Path]:
    """As `replacing` for a directory that is made piece by piece: an interrupted job leaves it, and the next one goes on in it.

    origin: what the pieces are made of, as JSON; what was left by a job of another origin is cleared. Each piece has to be
    written whole or not at all. An error clears everything; only a job that was killed or told to stop leaves its pieces.
    """
    path = Path(path)
    temporary = partial_path(path)
    try:
        with _writing(path):
            label = temporary / "origin.json"
            if not label.is_file() or read_json(label) != json.loads(json.dumps(origin)):
                _remove(temporary)
                temporary.mkdir()
                write_json(label, origin)
            yield temporary
            label.unlink()
            _take_the_place(temporary, path)
    except Exception:
        _remove(temporary)
        raise


def partial_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def _take_the_place(temporary: Path, path: Path) -> None:
    if path.is_dir():
        _remove(path)
    temporary.replace(path)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Makes the folder of `path`; says in one line what kept it from being written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise UserError(f"{error.filename or path}: cannot be written ({error.strerror}); make the folder writable") from error
    except OSError as error:
        raise UserError(
            f"{path}: writing failed ({error.strerror or error}); free disk space or choose another folder"
        ) from error


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.parent.is_dir():
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as JSON, keys in their order. Raises ValueError for NaN and infinity, which JSON has no word for."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); delete it and run again") from error


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any] | None = None) -> None:
    """Writes a safetensors file; `metadata` goes into its header as one JSON object, sorted: equal content is equal bytes.

    The header's own entries come in another order each time.
    """
    header = {METADATA_ENTRY: json.dumps(metadata, sort_keys=True, allow_nan=False)} if metadata else None
    with replacing(path) as temporary:
        try:
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary, header)
        except SafetensorError as error:  # how the library reports a full disk
            raise OSError(str(error)) from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a safetensors file and its metadata. Raises UserError where the file is absent or damaged."""
    with _safetensors(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        return tensors, _header(file)


def read_tensor_metadata(path: Path) -> dict[str, Any]:
    """The metadata of a safetensors file alone. Raises UserError as `read_tensors`."""
    with _safetensors(path) as file:
        return _header(file)


@contextmanager
def _safetensors(path: Path) -> Iterator[Any]:
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged or half-written ({error}); delete it and run again") from error


def _header(file: Any) -> dict[str, Any]:
    return json.loads((file.metadata() or {}).get(METADATA_ENTRY, "{}"))


def file_sha256(path: Path) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def array_sha256(array: np.ndarray) -> str:
    """Digest of an array's values, shape and type; equal on every machine of the same byte order."""
    header = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(header + np.ascontiguousarray(array).tobytes()).hexdigest()
