"""Passages from the user's own files and from datasets, read through the `datasets` library as streams.

Nothing is copied to a cache and no code of a dataset runs: a dataset that needs its own script is refused by the library.
Local files and directories are read without the network.
"""

import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from wta_sae.errors import UserError, first_line
from wta_sae.text.documents import Passage
from wta_sae.text.paths import READERS, matching_files


def file_passages(patterns: Sequence[str], column: str = "text") -> Iterator[Passage]:
    """Passages of .txt (a file is one document), .jsonl and .parquet files (a row is one document, its text in `column`).

    patterns: paths or glob patterns, read in the order given, a pattern's files by name.
    Raises UserError for a missing file, another suffix, a missing column, values that are not text, a damaged file.
    """
    for path in matching_files(patterns):
        reader = READERS[path.suffix]
        options = {"sample_by": "document"} if reader == "text" else {}
        rows = _rows(str(path), path=reader, data_files=str(path), split="train", **options)
        yield from _passages(rows, "text" if reader == "text" else column, str(path), "text.files.column")


def hub_passages(
    name: str,
    configuration: str | None = None,
    revision: str | None = None,
    split: str = "train",
    column: str = "text",
    data_files: str | Sequence[str] | None = None,
) -> Iterator[Passage]:
    """Passages of a dataset on the Hugging Face hub, streamed in its own order; a local directory's path works as `name`.

    Raises UserError where the dataset, its configuration, split or column is not there, or the hub is out of reach.
    """
    data_files = list(data_files) if data_files is not None and not isinstance(data_files, str) else data_files
    rows = _rows(name, path=name, name=configuration, revision=revision, split=split, data_files=data_files)
    yield from _passages(rows, column, name, "text.hub.column")


def _rows(source: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    import datasets  # here, because it takes a second that the other sources need not wait for

    # A stream still puts lock files into its cache directory; the default one is in the user's home.
    with tempfile.TemporaryDirectory(prefix="wta-sae-") as cache:
        try:
            yield from datasets.load_dataset(**arguments, streaming=True, cache_dir=cache)
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise UserError(f"text: {source}: cannot be read ({first_line(error)})") from error


def _passages(rows: Iterator[dict[str, Any]], column: str, source: str, key: str) -> Iterator[Passage]:
    for number, row in enumerate(rows):
        if column not in row:
            raise UserError(f"{key}: {source} has no column {column!r}; it has: {', '.join(row)}")
        text = row[column]
        if text is None:
            continue
        if not isinstance(text, str):
            raise UserError(
                f"{key}: {source}: {column!r} holds {type(text).__name__}, not text (row {number}); "
                f"the columns are: {', '.join(row)}"
            )
        yield Passage(text)
