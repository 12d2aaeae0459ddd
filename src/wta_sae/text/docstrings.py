"""Text that is already there: docstrings and function bodies of installed Python packages, read with `ast`, never imported.

The same pins give the same passages in the same order on every machine. Left out, by the names of files and folders:
tests (few docstrings, much repetitive code, half of the scanning time), vendored packages (another project's text under this
one's label, partly different from wheel to wheel), and files that are written when a package is built.
"""

import ast
import importlib.metadata
import importlib.util
import itertools
import multiprocessing
import os
import textwrap
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from wta_sae.base.errors import UserError
from wta_sae.base.given import given
from wta_sae.base.progress import progress
from wta_sae.text.documents import CODE, DOCSTRING, Passage

TEST_FOLDERS = {"test", "tests", "testing", "_testing"}
VENDORED_FOLDERS = {"externals", "_vendor", "array_api_compat", "array_api_extra"}
SKIPPED_FOLDERS = TEST_FOLDERS | VENDORED_FOLDERS
SKIPPED_FILES = {"version.py", "_version.py", "__config__.py", "_distributor_init.py", "conftest.py"}
MINIMUM_CHARACTERS = 200  # shorter docstrings ("See Also", one-liners) say too little to be a document
FILES_PER_TASK = 16


class SourceFile(NamedTuple):
    package: str
    path: Path


def docstring_passages(
    packages: Sequence[str], workers: int = 1, minimum_characters: int = MINIMUM_CHARACTERS
) -> Iterator[Passage]:
    """Docstrings of modules, classes and functions, and functions without theirs, of at least `minimum_characters`.

    Order: packages as given, files by path, passages by line. Raises UserError for a package that is not installed.
    """
    files = [file for package in packages for file in package_files(package)]
    minimums = itertools.repeat(minimum_characters)
    if workers == 1:
        found: Iterator[list[Passage]] = map(passages_of_file, files, minimums)
        yield from itertools.chain.from_iterable(progress(found, "docstrings", len(files), "file"))
        return
    with ProcessPoolExecutor(workers, initializer=_end_with_the_parent) as pool:
        found = pool.map(passages_of_file, files, minimums, chunksize=FILES_PER_TASK)
        yield from itertools.chain.from_iterable(progress(found, "docstrings", len(files), "file"))


def _end_with_the_parent() -> None:
    """Ends this worker process when the one that started it has ended, however: a killed one tells its workers nothing."""

    def wait() -> None:
        given(multiprocessing.parent_process(), "the parent of this process").join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def package_files(package: str) -> list[SourceFile]:
    """The Python files of an installed package, sorted by path. Raises UserError where there are none."""
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None:
        raise UserError(f"text.docstrings.packages: {package!r} is not an installed Python package; install it or leave it out")
    found = [(path.relative_to(root), path)
             for root in map(Path, spec.submodule_search_locations or ())
             for path in root.rglob("*.py")]  # fmt: skip
    if not found and spec.origin is not None and spec.has_location:
        found = [(Path(Path(spec.origin).name), Path(spec.origin))]
    kept = [(inside, path) for inside, path in found if path.suffix == ".py" and not _is_skipped(inside)]
    if not kept:
        raise UserError(f"text.docstrings.packages: {package!r} has no Python source to read; leave it out")
    return [SourceFile(package, path) for _, path in sorted(kept, key=lambda item: item[0].as_posix())]


def _is_skipped(inside_package: Path) -> bool:
    return inside_package.name in SKIPPED_FILES or not SKIPPED_FOLDERS.isdisjoint(inside_package.parts[:-1])


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """The installed version of each package, for the record."""
    distributions = importlib.metadata.packages_distributions()
    return {
        package: importlib.metadata.version(distributions[package][0]) if package in distributions else "unknown"
        for package in packages
    }


def passages_of_file(file: SourceFile, minimum_characters: int) -> list[Passage]:
    """The passages of one file; none of a file that this Python cannot parse (a template, or newer syntax)."""
    source = file.path.read_bytes().decode("utf-8-sig", "replace")
    return [Passage(text, file.package, kind) for kind, text in passages_of_source(source) if len(text) >= minimum_characters]


def passages_of_source(source: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of each definition, in the order of lines.

    Functions inside functions belong to the code around them: they are yielded neither as docstring nor as code.
    """
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other people's invalid escapes
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return
    lines = source.split("\n")  # not splitlines(): form feeds end no line for the parser
    for node in _definitions(tree):
        docstring = ast.get_docstring(node)
        if docstring:
            yield DOCSTRING, docstring
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield CODE, _code(node, lines, has_docstring=docstring is not None)


def _definitions(node: ast.AST) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """The module, its classes and its functions, without looking into functions and expressions: much faster than ast.walk."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    for field in ("body", "handlers", "orelse", "finalbody"):  # also those inside if, try and with
        for child in getattr(node, field, ()) if not isinstance(node, ast.expr) else ():
            yield from _definitions(child)


def _code(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str], has_docstring: bool) -> str:
    kept = lines[node.lineno - 1 : node.end_lineno]
    if has_docstring:
        end = given(node.body[0].end_lineno, "the docstring's last line")
        first, last = node.body[0].lineno - node.lineno, end - node.lineno
        shares_a_line = first == 0 or (len(node.body) > 1 and node.body[1].lineno <= end)
        if shares_a_line:  # nothing as short as that is worth taking apart
            return ""
        kept = kept[:first] + kept[last + 1 :]
    return textwrap.dedent("\n".join(kept)).strip("\n")
