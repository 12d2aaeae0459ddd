"""Labelled rows of datasets on the hub, or in a directory on disk, and the files that keep them.

Of a dataset with a test part all rows are kept, of one without the first ones of each class; the samplers of
`wta_sae.text.labelled` draw from them. Where there is a network is thus needed once, and one file serves many sets.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wta_sae.errors import UserError
from wta_sae.files import anew, replacing
from wta_sae.text.labelled import TEST, TRAIN, UNSPLIT, LabelledText
from wta_sae.text.sources import HubDataset, Row, hub_rows, text_of

KEY = "labelled_texts.hub.datasets"
TEXT, SPLIT, LANGUAGE = "text", "split", "language"
METADATA_KEY = b"wta_sae"


@dataclass(frozen=True)
class FirstTexts:
    """How much is read of a dataset without a test part: until every class has more than `number` texts that are kept.

    A kept text is longer than `longer_than` characters and loses its first `skip_characters` (of code: the licence).
    languages: class -> configuration, of a parallel corpus whose text column holds {language: text}; empty for others.
    Source: SAEBench `get_github_code_dataset`, `get_europarl_dataset`.
    """

    classes: tuple[str, ...]
    number: int
    skip_characters: int = 0
    longer_than: int = -1
    languages: Mapping[str, str] = field(default_factory=dict)


def split_rows(dataset: HubDataset, splits: tuple[str, str], text: str, labels: Sequence[str]) -> Iterator[dict[str, str]]:
    """All rows of a dataset's training and test split: text, split and, as strings, the label columns.

    Raises UserError for a missing column and for a row without text.
    """
    for split, ours in zip(splits, (TRAIN, TEST), strict=True):
        for number, row in enumerate(hub_rows(replace(dataset, split=split))):
            yield {TEXT: _text(row, text, number, dataset), SPLIT: ours} | {
                label: str(_value(row, label, dataset)) for label in labels
            }


def first_rows(dataset: HubDataset, text: str, label: str, wanted: FirstTexts) -> Iterator[dict[str, str]]:
    """The first rows of a dataset, as `wanted` has them; the same columns as `split_rows`, with the split UNSPLIT."""
    if wanted.languages:
        for language in wanted.classes:
            source = replace(dataset, configuration=wanted.languages[language])
            rows = ({text: (row.get(text) or {}).get(language), LANGUAGE: language} for row in hub_rows(source))
            yield from _first_rows(rows, source, text, LANGUAGE, replace(wanted, classes=(language,)))
    else:
        yield from _first_rows(hub_rows(dataset), dataset, text, label, wanted)


def _first_rows(
    rows: Iterable[Row], dataset: HubDataset, text: str, label: str, wanted: FirstTexts
) -> Iterator[dict[str, str]]:
    counts = dict.fromkeys(wanted.classes, 0)
    for number, row in enumerate(rows):
        value = str(_value(row, label, dataset))
        if value in counts and len(found := _text(row, text, number, dataset)) > wanted.longer_than:
            counts[value] += 1
            yield {TEXT: found[wanted.skip_characters :], SPLIT: UNSPLIT, label: value}
        if min(counts.values()) > wanted.number:
            return


def _text(row: Row, column: str, number: int, dataset: HubDataset) -> str:
    found = text_of(row, column, number, dataset.name, KEY)
    if found is None:
        raise UserError(f"{KEY}: {dataset.name}: no text in {column!r} (row {number}); name the column that holds the text")
    return found


def _value(row: Row, column: str, dataset: HubDataset) -> Any:
    if column not in row:
        raise UserError(f"{KEY}: {dataset.name} has no column {column!r}; it has: {', '.join(row)}")
    return row[column]


def write_rows(path: Path, rows: Iterable[Mapping[str, str]], description: dict[str, Any]) -> int:
    """Writes Parquet with the rows' columns, all strings; returns how many rows. description: where they are from."""
    with replacing(path) as temporary:
        columns: dict[str, list[str]] = {}
        for row in rows:
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
        # Texts of more than 2 GB together need the large type.
        table = pa.table({name: pa.array(values, pa.large_string()) for name, values in columns.items()})
        if not len(table):
            raise UserError("labelled texts: no text of the classes asked for; name them as the dataset does")
        pq.write_table(table.replace_schema_metadata({METADATA_KEY: json.dumps(description)}), temporary, compression="zstd")
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
