"""Labelled texts for probing, SCR and TPP: a source yields rows, the samplers draw balanced sets from the rows of any source.

The docstring source: the package that a text is from is its class, docstring or code its attribute (where SAEBench has
profession and gender). Its rows come from evaluation documents alone: no language model and no SAE was trained on them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from wta_sae.errors import UserError
from wta_sae.text.documents import CODE, DOCSTRING, EVALUATION, Document, fraction_of, normalised

TRAIN, TEST = "train", "test"
PIECE_CHARACTERS, SMALLEST_PIECE = 600, 200  # about 128 tokens and 50, so that a piece fills a context and says something
TEST_SHARE = 0.3

Texts = dict[str, dict[str, list[str]]]  # train and test -> class or quadrant -> texts


class LabelledText(NamedTuple):
    """A row; split: TRAIN or TEST of the probes; attribute: empty where a source has none."""

    text: str
    label: str
    attribute: str
    split: str


def docstring_rows(
    documents: Iterable[Document],
    test_share: float = TEST_SHARE,
    piece_characters: int = PIECE_CHARACTERS,
    smallest_piece: int = SMALLEST_PIECE,
) -> list[LabelledText]:
    """Pieces of the evaluation documents that are docstrings or code.

    A document's pieces are all in TRAIN or all in TEST. A piece that two documents share stands once, or it might be in both.
    """
    seen: set[str] = set()
    rows = []
    for document in documents:
        if document.split != EVALUATION or document.kind not in (DOCSTRING, CODE):
            continue
        split = TEST if fraction_of(document.text, "labelled") < test_share else TRAIN
        for piece in pieces(document.text, piece_characters, smallest_piece):
            if normalised(piece) not in seen:
                seen.add(normalised(piece))
                rows.append(LabelledText(piece, document.package, document.kind, split))
    return rows


def pieces(text: str, largest: int, smallest: int) -> Iterator[str]:
    """Cuts at line ends into pieces of at most `largest` characters; a longer line is cut inside.

    Pieces of fewer than `smallest` characters, mostly the last, are dropped.
    """
    lines = [line[i : i + largest] for line in text.split("\n") for i in range(0, max(len(line), 1), largest)]
    piece = ""
    for line in lines:
        longer = f"{piece}\n{line}" if piece else line
        if len(longer) <= largest:
            piece = longer
            continue
        if len(piece.strip()) >= smallest:
            yield piece.strip("\n")
        piece = line
    if len(piece.strip()) >= smallest:
        yield piece.strip("\n")


def class_texts(rows: Sequence[LabelledText], classes: Sequence[str], train: int, test: int, seed: int) -> Texts:
    """`train` and `test` texts of each class, drawn in equal parts from the attributes that the classes' rows have.

    Raises UserError naming a class that has too few.
    """
    pools = _pools(rows)
    attributes = sorted({attribute for _, label, attribute in pools if label in classes}) or [""]
    texts: Texts = {TRAIN: {}, TEST: {}}
    for split, number in ((TRAIN, train), (TEST, test)):
        for label in classes:
            # Where the number does not divide, the first attributes give one more.
            shares = [number // len(attributes) + (i < number % len(attributes)) for i in range(len(attributes))]
            drawn = [
                text
                for attribute, share in zip(attributes, shares, strict=True)
                for text in _draw(pools, (split, label, attribute), share, seed)
            ]
            order = np.random.default_rng(seed).permutation(len(drawn))
            texts[split][label] = [drawn[index] for index in order]
    return texts


def quadrant_texts(
    rows: Sequence[LabelledText],
    concepts: tuple[str, str],
    attributes: tuple[str, str],
    train: int,
    test: int,
    seed: int,
) -> Texts:
    """`train` and `test` texts of each quadrant of an SCR pair, named attribute first, concept second.

    pos_neg has attributes[0] and concepts[1].

    Raises UserError naming a class that has too few.
    """
    pools = _pools(rows)
    signs = ("pos", "neg")
    return {
        split: {
            f"{a}_{c}": _draw(pools, (split, concept, attribute), number, seed)
            for a, attribute in zip(signs, attributes, strict=True)
            for c, concept in zip(signs, concepts, strict=True)
        }
        for split, number in ((TRAIN, train), (TEST, test))
    }


def _pools(rows: Sequence[LabelledText]) -> dict[tuple[str, str, str], list[str]]:
    pools = defaultdict(list)
    for text, label, attribute, split in rows:
        pools[split, label, attribute].append(text)
    return dict(pools)


def _draw(pools: dict[tuple[str, str, str], list[str]], group: tuple[str, str, str], number: int, seed: int) -> list[str]:
    """`number` of the group's texts, without replacement; each group is drawn with the seed itself, as SAEBench does."""
    pool = pools.get(group, [])
    if len(pool) < number:
        split, label, attribute = group
        what = f"class {label!r} has {len(pool)} {attribute} texts" if attribute else f"class {label!r} has {len(pool)} texts"
        known = ", ".join(sorted({label for _, label, _ in pools})) or "none"
        hint = (
            "ask for fewer (labelled_texts) or raise text.evaluation_share"
            if any(label == key[1] for key in pools)
            else f"the classes are: {known}"
        )
        raise UserError(f"labelled texts: {what} for {split}; {number} were asked for; {hint}")
    order = np.random.default_rng(seed).permutation(len(pool))[:number]
    return [pool[index] for index in order]
