"""Labelled texts as the groups that the metrics compare: classes, or the sets that SCR is made of.

Source: SAEBench 0.6.0, `evals/scr_and_tpp/dataset_creation.py`.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wta_sae.base.errors import UserError
from wta_sae.machine.files import read_json

Splits = dict[str, dict[str, list[str]]]  # {"train": {group: [text, ...]}, "test": {...}}
SPLITS = ("train", "test")
QUADRANTS = ("pos_pos", "pos_neg", "neg_pos", "neg_neg")  # first word: the attribute's value, second: the concept's


def read_labelled_texts(path: Path) -> Splits:
    """Raises UserError for another shape than {"train": {group: [text, ...]}, "test": {...}}."""
    texts = read_json(path)
    if not (isinstance(texts, dict) and set(SPLITS) <= set(texts)):
        raise UserError(f'{path}: wants the keys "train" and "test", each an object of lists of texts')
    for split in SPLITS:
        content = texts[split]
        well_formed = isinstance(content, dict) and all(
            isinstance(group, list) and all(isinstance(text, str) for text in group) for group in content.values()
        )
        if not well_formed:
            raise UserError(f"{path}: {split} is not an object of lists of texts")
    return texts


def class_groups(path: Path, texts: Splits) -> Splits:
    """The classes as they are.

    Raises UserError unless train and test hold the same classes, two or more, with texts enough for one-vs-rest tasks.
    """
    for split in SPLITS:
        classes = {name: len(found) for name, found in texts[split].items()}
        if len(classes) < 2:
            raise UserError(f"{path}: {len(classes)} class in {split}; one-vs-rest tasks need two or more")
        if min(classes.values()) == 0:
            raise UserError(f"{path}: class {min(classes, key=classes.__getitem__)!r} has no {split} text; leave the class out")
        largest = max(classes, key=classes.__getitem__)
        for name, size in classes.items():
            wanted = math.ceil(classes[largest] / (len(classes) - 1))
            if name != largest and size < wanted:
                raise UserError(
                    f"{path}: class {name!r} has {size} {split} texts; as negatives of {largest!r} "
                    f"({classes[largest]} texts) {wanted} are needed"
                )
    if list(texts["train"]) != list(texts["test"]):
        raise UserError(f"{path}: train and test name different classes, or in another order; give both the same")
    return {split: texts[split] for split in SPLITS}


def set_groups(path: Path, quadrants: Splits, seed: int) -> Splits:
    """The six groups of 2s texts that SCR's three sets are made of, in SAEBench's order and shuffles.

    quadrants: with the four QUADRANTS in either split. s is the largest size that they allow: s texts of pos_neg and neg_pos,
    2s of pos_pos and neg_neg, of which the biased set takes all and the balanced ones the first s. seed: of the shuffles.
    Raises UserError for a missing or an empty quadrant.
    """
    return {split: _set_groups(f"{path}: {split}", quadrants[split], seed) for split in SPLITS}


def _set_groups(where: str, quadrants: Mapping[str, Sequence[str]], seed: int) -> dict[str, list[str]]:
    missing = [name for name in QUADRANTS if name not in quadrants]
    if missing:
        raise UserError(f"{where} lacks {', '.join(missing)}; it wants {', '.join(QUADRANTS)}")
    pos_pos, pos_neg, neg_pos, neg_neg = (list(quadrants[name]) for name in QUADRANTS)
    size = min(len(pos_pos) // 2, len(pos_neg), len(neg_pos), len(neg_neg) // 2)
    if size == 0:
        counts = ", ".join(f"{name} {len(quadrants[name])}" for name in QUADRANTS)
        raise UserError(f"{where} has too few texts ({counts}); pos_pos and neg_neg need 2, the others 1")
    groups = {
        "attribute positive": pos_pos[:size] + pos_neg[:size],
        "attribute negative": neg_pos[:size] + neg_neg[:size],
        "concept positive": pos_pos[:size] + neg_pos[:size],
        "concept negative": pos_neg[:size] + neg_neg[:size],
        "biased positive": pos_pos[: 2 * size],
        "biased negative": neg_neg[: 2 * size],
    }
    generator = np.random.default_rng(seed)
    for texts in groups.values():
        generator.shuffle(texts)
    return groups


def numbered(groups: Splits) -> tuple[list[str], dict[str, dict[str, list[int]]]]:
    """The distinct texts of all groups, and the groups again with a text's number in place of the text."""
    every = [text for split in groups.values() for texts in split.values() for text in texts]
    number = {text: index for index, text in enumerate(dict.fromkeys(every))}
    rows = {split: {name: [number[text] for text in texts] for name, texts in of.items()} for split, of in groups.items()}
    return list(number), rows
