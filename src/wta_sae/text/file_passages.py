"""Passages of the user's own files."""

from collections.abc import Iterator, Sequence

from wta_sae.plan.own_files import kind_of, matching_files
from wta_sae.text.documents import Passage
from wta_sae.text.records import TEXT_COLUMN, records
from wta_sae.text.rows import text_of


def file_passages(patterns: Sequence[str], column: str = "text") -> Iterator[Passage]:
    """A passage of each .txt file, and of each row of the other kinds, its text in `column`.

    patterns: paths or glob patterns, read in the order given, a pattern's files by name. Raises UserError as `matching_files`
    and `records` do, and for values that are not text.
    """
    key = "text.files.column"
    for path in matching_files(patterns):
        for place, row in records(path, {column: key}):
            yield Passage(text_of(row, TEXT_COLUMN if kind_of(path)[0] == ".txt" else column, f"{path}, {place}", key))
