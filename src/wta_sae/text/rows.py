"""A row of a file or a dataset, and the text in it."""

from typing import Any

from wta_sae.base.errors import UserError

Row = dict[str, Any]


def text_of(row: Row, column: str, source: str, key: str) -> str | None:
    """The row's text, None where it has none. Raises UserError for a missing column and for values that are not text.

    source, key: where the row is from and the config's key that names the column, for the error.
    """
    if column not in row:
        raise UserError(f"{key}: {source} has no column {column!r}; it has: {', '.join(row)}")
    if row[column] is not None and not isinstance(row[column], str):
        kind = type(row[column]).__name__
        raise UserError(f"{key}: {source}: {column!r} holds {kind}, not text; the columns are: {', '.join(row)}")
    return row[column]
