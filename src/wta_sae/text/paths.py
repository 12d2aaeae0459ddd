"""The user's own text files. Free of torch: the Snakefile looks for them too."""

import glob
from collections.abc import Sequence
from pathlib import Path

from wta_sae.errors import UserError

READERS = {".txt": "text", ".jsonl": "json", ".parquet": "parquet"}


def matching_files(patterns: Sequence[str]) -> list[Path]:
    """The files that the patterns name. Raises UserError where one names none, or one of unknown kind."""
    if not patterns:
        raise UserError("text.files.paths: no file is named; give paths of .txt, .jsonl or .parquet files")
    found: list[Path] = []
    for pattern in map(str, patterns):
        # A literal name may hold characters that mean something to glob.
        paths = [Path(pattern)] if Path(pattern).is_file() else map(Path, sorted(glob.glob(pattern, recursive=True)))  # noqa: PTH207
        files = [path for path in paths if path.is_file()]
        if not files:
            raise UserError(f"text.files.paths: {pattern}: no such file")
        found += [path for path in files if path not in found]
    for path in found:
        if path.suffix not in READERS:
            raise UserError(f"text.files.paths: {path}: cannot read {path.suffix or 'it'}; use {', '.join(READERS)}")
    return found
