"""Files on disk: written whole or not at all, read with a clear word when they are damaged."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from wta_sae.base.errors import PassingError, UserError
from wta_sae.base.writing import partial_path, writing

LABEL_FILE = "origin.json"  # in a folder that is being made piece by piece
TIMESTAMP_FILE = ".snakemake_timestamp"  # Snakemake's own, in a folder that a rule made

UMASK = os.umask(0)  # to ask for it is to set it: once, before there are threads
os.umask(UMASK)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` (a file or a directory): it takes its place when the block ends well, else it goes.

    Raises PassingError where the folder cannot be written or the disk is full.
    """
    path = Path(path)
    temporary = partial_path(path)  # one name: what a killed job left is cleared by the next
    try:
        with writing(path):
            _remove(temporary)
            yield temporary
            _take_the_place(temporary, path)
    finally:
        _remove(temporary)


@contextmanager
def resuming(path: Path, origin: Any) -> Iterator[Path]:
    """As `replacing` for a directory that is made piece by piece: an interrupted job leaves it, and the next one goes on in it.

    origin: what the pieces are made of, as JSON, the code that makes them included; what a job of another origin left is
    cleared, with a word. Each piece has to be written whole or not at all. The pieces outlive everything but a UserError that
    is about what they are made of: a job that is killed, is out of memory or meets a full disk leaves them.
    """
    path = Path(path)
    temporary = partial_path(path)
    with writing(path):
        _keep_only_of(origin, temporary)
        try:
            yield temporary
        except PassingError:
            raise
        except UserError:
            _remove(temporary)
            raise
        _take_the_place(temporary, path)
        (path / LABEL_FILE).unlink()  # last: without it, the pieces of a job killed here would be cleared


def differing(one: Any, other: Any) -> str:
    """The entries in which two origins differ, for a line that a user reads."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return "origin"
    return ", ".join(key for key in {**other, **one} if one.get(key) != other.get(key))


def _keep_only_of(origin: Any, temporary: Path) -> None:
    """Clears what is not of this origin, and labels the folder with it."""
    label = temporary / LABEL_FILE
    wanted = json.loads(json.dumps(origin))
    try:
        found = read_json(label) if temporary.exists() else None
    except UserError:
        found = {}
    if found == wanted:
        return
    if found is not None:
        print(f"{temporary}: left by a job of other {differing(wanted, found)}; cleared, starting anew", file=sys.stderr)
    _remove(temporary)
    temporary.mkdir()
    write_json(label, origin)


def _take_the_place(temporary: Path, path: Path) -> None:
    for made in (temporary, *temporary.rglob("*")):
        if made.is_file() and not made.is_symlink():
            made.chmod(made.stat().st_mode | (0o666 & ~UMASK))  # safetensors' files are their owner's alone
    old = path.with_name(f".{path.name}.old")  # removed only when the new one is there
    _remove(old)
    if path.is_dir():  # over which nothing can be renamed
        path.replace(old)
    temporary.replace(path)
    _remove(old)


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
        raise UserError(f"{path}: not valid JSON ({error}); {anew(path)}") from error


def anew(path: Path) -> str:
    """How to make a damaged result again, for the end of an error's line."""
    path = Path(path)
    made = path.parent if (path.parent / TIMESTAMP_FILE).is_file() else path
    return f"a result of the workflow is made anew by the same command with --forcerun {made}"


def file_sha256(path: Path) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_xxh3(path: Path) -> str:
    """Digest against damage, ten times as fast as SHA-256, for files that are read again and again."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()
