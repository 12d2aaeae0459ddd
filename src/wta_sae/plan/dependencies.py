"""What a rule's result depends on, as parameters of the rule: the code of its stage, and files that a user may edit."""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
NOT_FOLLOWED = PACKAGE / "base"  # it shows, refuses and guards, and decides nothing that is written


def stage_files(stage: str, *modules: str) -> list[Path]:
    """The project's own files that can change what a stage of the command line writes, found by following its imports.

    modules: what the stage loads by a name that it is given, as `variants.wta.rule`. Not among the files: `__main__`, which
    only dispatches, the packages' `__init__`, which define nothing, and the room NOT_FOLLOWED.
    """
    found: set[Path] = set()
    waiting = ["stages." + stage.replace(" ", "_").replace("-", "_"), *modules]
    files = [_file_of(f"{PACKAGE.name}.{module}") for module in waiting]
    while files:
        file = files.pop()
        if file is None or file in found or NOT_FOLLOWED in file.parents:
            continue
        found.add(file)
        files += _imported_files(file)
    return sorted(found)


@cache
def code_sha256(stage: str, *modules: str) -> str:
    """Digest of the stage's `stage_files`.

    As a parameter of the stage's rule it makes an edit re-run exactly the rules that it concerns. Not the files as inputs:
    of those Snakemake takes note when a job ends, and would not see an edit that was made while it ran.
    """
    digest = hashlib.sha256()
    for file in stage_files(stage, *modules):
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
        if status is None:
            state = "absent"
        elif status.st_size <= LARGE:
            state = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            state = f"{status.st_size} {status.st_mtime_ns}"
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
    return tuple(found for module in sorted(modules) if (found := _file_of(module)) is not None)


def _file_of(module: str) -> Path | None:
    """The file of a module of this package; None of a package, of another's module, and of a name in a module."""
    top, *parts = module.split(".")
    file = PACKAGE.joinpath(*parts).with_suffix(".py")
    return file if top == PACKAGE.name and parts and file.is_file() else None
