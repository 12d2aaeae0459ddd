"""Files of labelled rows: texts, their split and their label columns, from which the sets are drawn."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wta_sae.base.errors import UserError
from wta_sae.machine.files import anew, replacing
from wta_sae.text.labelled import LabelledText

TEXT, SPLIT = ":text", ":split"  # columns of ours, beside the labels', which may be called "text" or "split"
METADATA_KEY = b"wta_sae"


def write_rows(
    path: Path,
    rows: Iterable[Mapping[str, str]],
    description: Mapping[str, Any],
    left_out: Mapping[str, int] | None = None,
) -> int:
    """Writes Parquet with the rows' columns, all strings; returns how many rows.

    description: where they are from; left_out: how many were left out and why, as it stands when the rows have come.
    """
    with replacing(path) as temporary:
        columns: dict[str, list[str]] = {}
        for row in rows:
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
        # Texts of more than 2 GB together need the large type.
        table = pa.table({name: pa.array(values, pa.large_string()) for name, values in columns.items()})
        if not len(table):
            raise UserError("labelled texts: no text of the classes asked for; name them as the dataset does")
        metadata = {**description, "left_out": dict(left_out or {})}
        pq.write_table(table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata)}), temporary, compression="zstd")
        return len(table)


def read_rows(path: Path, label: str, attribute: str | None = None) -> tuple[list[LabelledText], dict[str, Any]]:
    """The rows of a file of `write_rows` and its description. label, attribute: columns; without one it is empty.

    Raises UserError for a file that is not there or damaged, and for a missing column.
    """
    names = [TEXT, label, *([attribute] if attribute else []), SPLIT]
    try:
        table = pq.read_table(path)
        description = json.loads(table.schema.metadata[METADATA_KEY])
    except (OSError, pa.ArrowException, KeyError, TypeError) as error:
        problem = f"not a readable file of labelled rows; {anew(path)}" if Path(path).is_file() else "no such file"
        raise UserError(f"{path}: {problem}") from error
    for name in names:
        if name not in table.column_names:
            raise UserError(f"{path}: has no column {name!r}; it has: {', '.join(table.column_names)}")
    columns = [table.column(name).to_pylist() for name in names]
    if not attribute:
        columns.insert(2, [""] * len(table))
    return [LabelledText(*row) for row in zip(*columns, strict=True)], description
