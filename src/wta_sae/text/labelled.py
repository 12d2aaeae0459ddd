"""Labelled texts for probing, SCR and TPP: a source yields rows, the samplers draw balanced sets from the rows of any source.

The samplers draw as SAEBench 0.6.0 does (`sae_bench_utils/dataset_utils.py`, `evals/scr_and_tpp/dataset_creation.py`), text
for text: from the same rows, the same seed gives its very sets.

The docstring source: the package that a text is from is its class, docstring or code its attribute (where SAEBench has
profession and gender). Its rows come from evaluation documents alone: no language model and no SAE was trained on them.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from wta_sae.base.errors import UserError
from wta_sae.text.documents import CODE, DOCSTRING, EVALUATION, Document, fraction_of, normalised

TRAIN, TEST, UNSPLIT = "train", "test", ""
PIECE_CHARACTERS, SMALLEST_PIECE = 600, 200  # about 128 tokens and 50, so that a piece fills a context and says something
TEST_SHARE = 0.3

Texts = dict[str, dict[str, list[str]]]  # train and test -> class or quadrant -> texts


class LabelledText(NamedTuple):
    """A row; split: TRAIN or TEST of the probes, UNSPLIT of a source without a test part; attribute: may be empty."""

    text: str
    label: str
    attribute: str
    split: str


def docstring_rows(
    documents: Iterable[Document],
    seed: int = 0,
    test_share: float = TEST_SHARE,
    piece_characters: int = PIECE_CHARACTERS,
    smallest_piece: int = SMALLEST_PIECE,
) -> list[LabelledText]:
    """Pieces of the evaluation documents that are docstrings or code, in a shuffled order.

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
    return [rows[index] for index in np.random.default_rng(seed).permutation(len(rows))]


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

    From a source with a test part, each group of a class and an attribute is sampled with the seed itself, as pandas'
    `.sample(n, random_state=seed)` does, and the attributes' texts stand one after another. From one without, each class's
    texts are shuffled, by one generator for all classes, and the first `train` and the next `test` of them taken.

    Raises UserError naming a class that has too few. Source: SAEBench `get_balanced_dataset`, `gather_dataset_from_df`,
    `get_balanced_amazon_sentiment_dataset`; `get_github_code_dataset`, `get_europarl_dataset`.
    """
    pools = _pools(rows)
    if any(split == UNSPLIT for split, _, _ in pools):
        return _cut_class_texts(pools, classes, train, test, seed)
    attributes = sorted({attribute for _, label, attribute in pools if label in classes}) or [""]
    texts: Texts = {TRAIN: {}, TEST: {}}
    for split, number in ((TRAIN, train), (TEST, test)):
        for label in classes:
            # Where the number does not divide, the first attributes give one more.
            shares = [number // len(attributes) + (i < number % len(attributes)) for i in range(len(attributes))]
            texts[split][label] = [
                text
                for attribute, share in zip(attributes, shares, strict=True)
                for text in _sample(_group(pools, (split, label, attribute), share), share, seed)
            ]
    return texts


def quadrant_texts(
    rows: Sequence[LabelledText],
    concepts: tuple[str, str],
    attributes: tuple[str, str],
    train: int,
    test: int,
) -> Texts:
    """The texts of each quadrant of an SCR pair, named attribute first, concept second.

    pos_neg has attributes[0] and concepts[1]. `train` and `test` of pos_neg and neg_pos, and twice as many of pos_pos and
    neg_neg, which also make the biased set: the first rows of each, as SAEBench has it. Raises UserError naming a class that
    has too few. Source: SAEBench `get_spurious_corr_data`, whose shuffles `wta_sae.text.labelled_groups.set_groups` makes.
    """
    pools = _pools(rows)
    signs = ("pos", "neg")
    texts: Texts = {TRAIN: {}, TEST: {}}
    for split, number in ((TRAIN, train), (TEST, test)):
        for a, attribute in zip(signs, attributes, strict=True):
            for c, concept in zip(signs, concepts, strict=True):
                wanted = 2 * number if a == c else number
                texts[split][f"{a}_{c}"] = _group(pools, (split, concept, attribute), wanted)[:wanted]
    return texts


Pools = dict[tuple[str, str, str], list[str]]  # split, label, attribute -> texts


def _pools(rows: Sequence[LabelledText]) -> Pools:
    pools = defaultdict(list)
    for text, label, attribute, split in rows:
        pools[split, label, attribute].append(text)
    return dict(pools)


def _cut_class_texts(pools: Pools, classes: Sequence[str], train: int, test: int, seed: int) -> Texts:
    texts: Texts = {TRAIN: {}, TEST: {}}
    generator = random.Random(seed)
    for label in classes:
        shuffled = list(_group(pools, (UNSPLIT, label, ""), train + test))
        generator.shuffle(shuffled)
        texts[TRAIN][label], texts[TEST][label] = shuffled[:train], shuffled[train : train + test]
    return texts


def _sample(pool: list[str], number: int, seed: int) -> list[str]:
    return [pool[index] for index in np.random.RandomState(seed).choice(len(pool), number, replace=False)]


def _group(pools: Pools, group: tuple[str, str, str], wanted: int) -> list[str]:
    """The texts of a group. Raises UserError where they are fewer than wanted."""
    pool = pools.get(group, [])
    if len(pool) < wanted:
        split, label, attribute = group
        what = f"class {label!r} has {len(pool)} {attribute} texts" if attribute else f"class {label!r} has {len(pool)} texts"
        known = ", ".join(sorted({label for _, label, _ in pools})) or "none"
        hint = (
            "ask for fewer (labelled_texts), or give more text"
            if any(label == key[1] for key in pools)
            else f"the classes are: {known}"
        )
        purpose = f" for {split}" if split else ""
        raise UserError(f"labelled texts: {what}{purpose}; {wanted} were asked for; {hint}")
    return pool
