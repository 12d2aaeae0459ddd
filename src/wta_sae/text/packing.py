"""Token lists of documents -> contexts of one length.

Shape suffixes: C contexts, L positions.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from wta_sae.base.errors import UserError


class Packed(NamedTuple):
    """tokens_CL: int32; documents: how many were read."""

    tokens_CL: np.ndarray
    documents: int


def pack_concatenated(
    documents: Iterable[Sequence[int]],
    length: int,
    bos: int,
    prepend_bos: bool = True,
    contexts: int | None = None,
    key: str = "contexts",
) -> Packed:
    """SAEBench's token stream: documents joined with one `bos` between them, cut into pieces, each with `bos` in front.

    With prepend_bos a piece is length - 1 long, without it `length`, and then only the bos between documents remain. What is
    left after the last full piece is dropped. contexts: read no more documents than these take; None reads all.
    Raises UserError, with the config's key that asks, where the documents give no context, or fewer than asked for.
    """
    piece = _piece_length(length, prepend_bos)
    needed = None if contexts is None else contexts * piece
    joined = array("i")  # which grows in place: 4 bytes a token, where lists of pieces take twice and thrice that
    number = 0
    for tokens in _non_empty(documents):
        if number:
            joined.append(bos)
        joined.extend(tokens)
        number += 1
        if needed is not None and len(joined) >= needed:
            break
    available = len(joined) // piece
    _require(available, contexts, f"{number:,} documents with {len(joined):,} tokens", length, key)
    used = available if contexts is None else contexts
    stream = np.frombuffer(joined, np.int32)[: used * piece]
    return Packed(_with_bos(stream.reshape(used, piece), bos, prepend_bos), number)


def pack_first(
    documents: Iterable[Sequence[int]],
    length: int,
    bos: int,
    prepend_bos: bool = True,
    contexts: int | None = None,
    key: str = "contexts",
) -> Packed:
    """The first tokens of each document, one context a document; what a short document leaves free is filled with `bos`.

    With prepend_bos a context is `bos` and the first length - 1 tokens. contexts and errors: as in pack_concatenated.
    Source: the authors' released code (the activation buffer of dictionary_learning), which pads and masks likewise: special
    tokens never reach the activation cache.
    """
    piece = _piece_length(length, prepend_bos)
    rows = [np.asarray(tokens[:piece], np.int32) for tokens in islice(_non_empty(documents), contexts)]
    _require(len(rows), contexts, f"{len(rows):,} documents", length, key)
    padded = [np.pad(row, (0, piece - len(row)), constant_values=bos) for row in rows]
    return Packed(_with_bos(np.stack(padded), bos, prepend_bos), len(rows))


PACKINGS = {"concatenated": pack_concatenated, "first": pack_first}


def _piece_length(length: int, prepend_bos: bool) -> int:
    piece = length - bool(prepend_bos)
    if piece < 1:
        raise UserError(f"contexts of length {length} hold no text; use at least {1 + bool(prepend_bos)}")
    return piece


def _non_empty(documents: Iterable[Sequence[int]]) -> Iterator[Sequence[int]]:
    return (tokens for tokens in documents if len(tokens))  # an empty one would put two bos side by side


def _require(available: int, contexts: int | None, given: str, length: int, key: str) -> None:
    if available == 0:
        raise UserError(f"text: {given} give no context of length {length}; give more text")
    if contexts is not None and available < contexts:
        raise UserError(
            f"{key}: {contexts:,} contexts of length {length} asked for, but {given} give {available:,}; "
            "lower it or give more text"
        )


def _with_bos(pieces: np.ndarray, bos: int, prepend_bos: bool) -> np.ndarray:
    if not prepend_bos:
        return pieces
    return np.concatenate([np.full((len(pieces), 1), bos, np.int32), pieces], axis=1)
