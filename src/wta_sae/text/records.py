"""The user's own files, row by row: .txt, .jsonl, .json, .csv and .parquet, the first four also compressed.

Text is UTF-8; a byte order mark is no part of it. Whatever is wrong is said with the file and the line or row, counted from 1.
"""

import bz2
import csv
import gzip
import json
import lzma
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wta_sae.base.errors import UserError, first_line
from wta_sae.plan.own_files import kind_of
from wta_sae.text.rows import Row

TEXT_COLUMN = "text"  # of a .txt file's only row
ROWS_AT_ONCE = 1024
OPENERS: dict[str, Callable[[Path], Any]] = {
    "": lambda path: path.open("rb"),
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": lambda path: pa.input_stream(str(path), compression="zstd"),
}


def records(path: Path, columns: Mapping[str, str]) -> Iterator[tuple[str, Row]]:
    """(place, row) of each row of a file: ("line 3", {column: value}); a .txt file is one row, whatever `columns` says.

    columns: those that every row must have -> the config's key that names it, for the error. A value may be None.
    Raises UserError for a row that lacks one of them, and for a file that is not what its suffix says, or not UTF-8.
    """
    kind, compression = kind_of(path)
    try:
        if kind == ".parquet":
            yield from _parquet_rows(path, columns)
            return
        with _opened(path, compression) as file:
            for place, row in READERS[kind](file):
                if kind != ".txt":
                    _require(path, columns, row, place)
                yield place, row
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: is not UTF-8 ({error.reason}); save it as UTF-8, for example: iconv -f LATIN1 -t UTF-8 OLD > NEW"
        ) from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({first_line(error)})") from error
    except _MalformedError as error:
        raise UserError(f"{path}, {error}") from error


class _MalformedError(Exception):
    """What is wrong in a file, and where in it."""


@contextmanager
def _opened(path: Path, compression: str) -> Iterator[TextIOWrapper]:
    with OPENERS[compression](path) as stream, TextIOWrapper(stream, encoding="utf-8-sig", newline="") as file:
        yield file


def _txt_rows(file: TextIOWrapper) -> Iterator[tuple[str, Row]]:
    yield "line 1", {TEXT_COLUMN: file.read().replace("\r\n", "\n")}


def _jsonl_rows(lines: Iterable[str]) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield f"line {number}", _object(_parsed(line, f"line {number}"), f"line {number}")


def _json_rows(file: TextIOWrapper) -> Iterator[tuple[str, Row]]:
    content = file.read()
    if not content.lstrip().startswith("["):  # many a .json file has an object a line
        yield from _jsonl_rows(content.split("\n"))
        return
    for number, value in enumerate(_parsed(content, "the array"), 1):
        yield f"row {number}", _object(value, f"row {number}")


def _csv_rows(file: TextIOWrapper) -> Iterator[tuple[str, Row]]:
    csv.field_size_limit(sys.maxsize)
    rows = csv.DictReader(file, strict=True)
    try:
        for row in rows:
            place = f"line {rows.line_num}"
            if None in row or None in row.values():
                raise _MalformedError(f"{place}: has more or fewer fields than the header's {len(rows.fieldnames or ())}")
            yield place, row
    except csv.Error as error:
        raise _MalformedError(f"after line {rows.line_num}: {error}") from error


def _parquet_rows(path: Path, columns: Mapping[str, str]) -> Iterator[tuple[str, Row]]:
    with pq.ParquetFile(path) as file:
        _require(path, columns, dict.fromkeys(file.schema_arrow.names))
        number = 0
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=list(columns)):
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row


READERS = {".txt": _txt_rows, ".jsonl": _jsonl_rows, ".json": _json_rows, ".csv": _csv_rows}


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise _MalformedError(f"{place}: is not JSON ({first_line(error)})") from error


def _object(value: Any, place: str) -> Row:
    if not isinstance(value, dict):
        raise _MalformedError(f"{place}: is {type(value).__name__}, not an object with columns")
    return value


def _require(path: Path, columns: Mapping[str, str], row: Row, place: str = "") -> None:
    for column, key in columns.items():
        if column not in row:
            where = f"{path}, {place}" if place else f"{path}"
            raise UserError(f"{key}: {where} has no column {column!r}; it has: {', '.join(row)}")
