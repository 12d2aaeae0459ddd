"""What the Snakefile needs of Python, free of torch: flags from config sections, the source files behind a stage."""

import ast
import hashlib
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent


def flags(options: Mapping[str, Any]) -> str:
    """A config section as flags: {"batch_tokens": 8, "rates": [0.1, 0.5]} -> "--batch-tokens 8 --rates 0.1 0.5".

    A true value is the flag alone, a false one the flag's negation: {"prepend_bos": False} -> "--no-prepend-bos".
    """
    words = []
    for key, value in options.items():
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
            continue
        values = value if isinstance(value, list | tuple) else [value]
        words += [f"--{flag}", *(shlex.quote(str(item)) for item in values)]
    return " ".join(words)


def source_files(stage: str) -> list[Path]:
    """The project's own files that a stage of the command line runs, found by following its imports.

    Not among them: `__main__`, which only dispatches.
    """
    found: set[Path] = set()
    waiting = _files_of(f"{PACKAGE.name}.stages." + stage.replace(" ", "_").replace("-", "_"))
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        waiting += _imported_files(file)
    return sorted(found)


@cache
def code_sha256(stage: str) -> str:
    """Digest of the stage's `source_files`.

    As a parameter of the stage's rule it makes an edit re-run exactly the rules that it concerns. Not the files as inputs:
    of those Snakemake takes note when a job ends, and would not see an edit that was made while it ran.
    """
    digest = hashlib.sha256()
    for file in source_files(stage):
        digest.update(f"{file.relative_to(PACKAGE).as_posix()} {hashlib.sha256(file.read_bytes()).hexdigest()};".encode())
    return digest.hexdigest()


LARGE = 1_000_000  # bytes


@cache
def state_of(*files: str) -> str:
    """Digest of what the user may edit, for a parameter of the rules that read it, for the same reason.

    A large file is known by its size and time; one that is not there, by that.
    """
    digest = hashlib.sha256()
    for file in files:
        path = Path(file)
        status = path.stat() if path.is_file() else None
        if status is not None and status.st_size <= LARGE:
            state = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            state = status and f"{status.st_size} {status.st_mtime_ns}"
        digest.update(f"{file} {state};".encode())
    return digest.hexdigest()


@cache
def _imported_files(file: Path) -> tuple[Path, ...]:
    modules = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return tuple(found for module in modules for found in _files_of(module))


def _files_of(module: str) -> list[Path]:
    """The files that importing a module of this package runs: its own, and the __init__ of each package on the way."""
    top, *parts = module.split(".")
    if top != PACKAGE.name:
        return []
    paths = [PACKAGE.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]
    candidates = [path / "__init__.py" for path in paths] + [paths[-1].with_suffix(".py")]
    return [path for path in candidates if path.is_file()]
