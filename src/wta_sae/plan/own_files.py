"""The user's own text files. Free of torch: the Snakefile looks for them too."""

import glob
from collections.abc import Sequence
from pathlib import Path

from wta_sae.base.errors import UserError

KINDS = (".txt", ".jsonl", ".json", ".csv", ".parquet")
LABELLED_KINDS = KINDS[1:]  # a .txt file has no columns
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")  # of all but .parquet, which compresses by itself

PATTERN_CHARACTERS = set("{}<>")  # Snakemake takes a name with them for a pattern


def matching_files(patterns: Sequence[str], key: str = "text.files.paths", kinds: Sequence[str] = KINDS) -> list[Path]:
    """The files that the patterns name. Raises UserError, with the config's key, where one names none or another kind."""
    if not patterns:
        raise UserError(f"{key}: no file is named; give paths of {', '.join(kinds)} files")
    found: list[Path] = []
    for pattern in map(str, patterns):
        # A literal name may hold characters that mean something to glob.
        paths = [Path(pattern)] if Path(pattern).is_file() else map(Path, sorted(glob.glob(pattern, recursive=True)))  # noqa: PTH207
        files = [path for path in paths if path.is_file()]
        if not files:
            raise UserError(f"{key}: {pattern}: no such file")
        found += [path for path in files if path not in found]
    for path in found:
        if PATTERN_CHARACTERS & set(str(path)):
            raise UserError(f"{key}: {path}: rename it without any of {''.join(sorted(PATTERN_CHARACTERS))}")
        kind, compression = kind_of(path)
        if kind not in kinds or (kind == ".parquet" and compression):
            suffix = f"{kind}{compression}" or "a file without a suffix"
            raise UserError(
                f"{key}: {path}: cannot read {suffix}; convert it to one of {', '.join(kinds)} "
                f"(but for .parquet also as {', '.join(COMPRESSIONS)}), or unpack it"
            )
    return found


def kind_of(path: Path) -> tuple[str, str]:
    """The suffix that says what a file holds, and that of its compression or "": (".jsonl", ".gz")."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSIONS else ""
    return (suffixes[-1] if suffixes else ""), compression
