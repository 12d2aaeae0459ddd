"""Labelled rows of the user's own files."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from wta_sae.base.errors import UserError
from wta_sae.base.given import given
from wta_sae.plan.own_files import LABELLED_KINDS, matching_files
from wta_sae.text.documents import UNLABELLED, Admission, fraction_of
from wta_sae.text.labelled import TEST, TEST_SHARE, TRAIN
from wta_sae.text.labelled_rows import SPLIT, TEXT
from wta_sae.text.records import records
from wta_sae.text.rows import text_of

KEY = "labelled_texts.files.datasets"


def file_rows(
    patterns: Sequence[str], text: str, labels: Sequence[str], seed: int, left_out: Counter[str]
) -> Iterator[dict[str, str]]:
    """The rows of labelled files in a shuffled order: text, split and, as strings, the label columns.

    TEST_SHARE of the texts are for testing, which ones depends on the text alone: the same text is never on both sides.
    Left out and counted: rows without text or without one of the labels, and texts that came before, whatever their labels.
    Raises UserError as `matching_files` and `records` do, for text that is not text, and for a label that is a list or object.
    """
    admission = Admission()
    rows = []
    for path in matching_files(patterns, f"{KEY}.paths", LABELLED_KINDS):
        for place, row in records(path, {text: f"{KEY}.text"} | dict.fromkeys(labels, "labelled_texts.files.sets")):
            found = text_of(row, text, f"{path}, {place}", f"{KEY}.text")
            values = {label: _label(row[label], label, f"{path}, {place}") for label in labels}
            reason = UNLABELLED if None in values.values() else admission(found)
            if reason is not None:
                left_out[reason] += 1
                continue
            split = TEST if fraction_of(given(found, "an admitted text"), "labelled") < TEST_SHARE else TRAIN
            rows.append({TEXT: found, SPLIT: split} | values)
    yield from (rows[index] for index in np.random.default_rng(seed).permutation(len(rows)))


def _label(value: Any, column: str, place: str) -> str | None:
    if isinstance(value, list | dict):
        raise UserError(f"{KEY}: {place}: the label {column!r} holds {type(value).__name__}; a label is a text or a number")
    return None if value is None or value == "" else str(value)
