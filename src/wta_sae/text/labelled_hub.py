"""Labelled rows of datasets on the hub, or in a directory on disk.

Of a dataset with a test part all rows are kept, of one without the first ones of each class; the samplers of
`wta_sae.text.labelled` draw from them. Where there is a network is thus needed once, and one file serves many sets.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wta_sae.base.errors import UserError
from wta_sae.text.documents import EMPTY, NULL
from wta_sae.text.hub_datasets import HubDataset, hub_rows
from wta_sae.text.labelled import TEST, TRAIN, UNSPLIT
from wta_sae.text.labelled_rows import SPLIT, TEXT
from wta_sae.text.rows import Row, text_of

KEY = "labelled_texts.hub.datasets"
LANGUAGE = "language"


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


def split_rows(
    dataset: HubDataset, splits: tuple[str, str], text: str, labels: Sequence[str], left_out: Counter[str]
) -> Iterator[dict[str, str]]:
    """All rows of a dataset's training and test split: text, split and, as strings, the label columns.

    left_out: counts the rows without text. Raises UserError for a missing column and for text that is not text.
    """
    for split, ours in zip(splits, (TRAIN, TEST), strict=True):
        for number, row in enumerate(hub_rows(replace(dataset, split=split)), 1):
            if (found := _text(row, text, number, dataset, left_out)) is not None:
                yield {TEXT: found, SPLIT: ours} | {label: str(_value(row, label, dataset)) for label in labels}


def first_rows(
    dataset: HubDataset, text: str, label: str, wanted: FirstTexts, left_out: Counter[str]
) -> Iterator[dict[str, str]]:
    """The first rows of a dataset, as `wanted` has them; columns and counts as of `split_rows`, with the split UNSPLIT."""
    if wanted.languages:
        for language in wanted.classes:
            source = replace(dataset, configuration=wanted.languages[language])
            rows = ({text: (_value(row, text, source) or {}).get(language), LANGUAGE: language} for row in hub_rows(source))
            yield from _first_rows(rows, source, text, LANGUAGE, replace(wanted, classes=(language,)), left_out)
    else:
        yield from _first_rows(hub_rows(dataset), dataset, text, label, wanted, left_out)


def _first_rows(
    rows: Iterable[Row], dataset: HubDataset, text: str, label: str, wanted: FirstTexts, left_out: Counter[str]
) -> Iterator[dict[str, str]]:
    counts = dict.fromkeys(wanted.classes, 0)
    for number, row in enumerate(rows, 1):
        value = str(_value(row, label, dataset))
        if value in counts and (found := _text(row, text, number, dataset, left_out)) and len(found) > wanted.longer_than:
            if not (kept := found[wanted.skip_characters :]).strip():
                left_out[EMPTY] += 1
                continue
            counts[value] += 1
            yield {TEXT: kept, SPLIT: UNSPLIT, label: value}
        if min(counts.values()) > wanted.number:
            return


def _text(row: Row, column: str, number: int, dataset: HubDataset, left_out: Counter[str]) -> str | None:
    """The row's text; None, and counted, where there is none or nothing but white space."""
    found = text_of(row, column, f"{dataset.name}, row {number}", KEY)
    if found is None or not found.strip():
        left_out[NULL if found is None else EMPTY] += 1
        return None
    return found


def _value(row: Row, column: str, dataset: HubDataset) -> Any:
    if column not in row:
        raise UserError(f"{KEY}: {dataset.name} has no column {column!r}; it has: {', '.join(row)}")
    return row[column]
