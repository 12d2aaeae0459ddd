"""Labelled texts: which documents they come from, and how they are drawn."""

import itertools
import random

import pandas as pd
import pytest

from wta_sae.base.errors import UserError
from wta_sae.text.documents import CODE, DOCSTRING, PLAIN, Document
from wta_sae.text.labelled import LabelledText, class_texts, docstring_rows, pieces, quadrant_texts

CLASSES = ["scipy", "pandas", "torch"]


def document(name, package="scipy", kind=DOCSTRING, split="evaluation", lines=12):
    return Document("\n".join(f"{name} {package} {kind} line {i} {'x' * 20}" for i in range(lines)), split, package, kind)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aaa\nbbb\nccc\ndd", ["aaa\nbbb", "ccc\ndd"]),
        ("aaaa\nbbbbb\nc", ["aaaa", "bbbbb\nc"]),
        ("aaaaaaaaaa", ["aaaaaaa", "aaa"]),
        ("aaaaaa\nb", ["aaaaaa"]),
        ("\n\naaa\n\n\n\n\n\nbbb\n", ["aaa", "bbb"]),
        ("", []),
    ],
)
def test_pieces_of_two_to_seven_characters(text, expected):
    assert list(pieces(text, largest=7, smallest=2)) == expected


def test_pieces_have_the_sizes_asked_for_and_lose_no_line_between():
    text = document("d", lines=100).text
    cut = list(pieces(text, 600, 200))
    assert all(200 <= len(piece) <= 600 for piece in cut)
    assert text.startswith("\n".join(cut))
    assert len(text) - len("\n".join(cut)) < 201


def test_rows_come_from_evaluation_documents_with_a_package():
    kept = [document("a"), document("b", "torch", CODE)]
    left_out = [document("c", split="train"), document("d", kind=PLAIN), document("e", kind=CODE, split="train")]
    rows = docstring_rows([*kept, *left_out])
    assert {(row.label, row.attribute) for row in rows} == {("scipy", DOCSTRING), ("torch", CODE)}
    assert {row.text.split()[0] for row in rows} == {"a", "b"}


def test_a_documents_pieces_are_on_one_side():
    rows = docstring_rows([document(f"d{i}", lines=60) for i in range(200)], test_share=0.3)
    split_of = {}
    for row in rows:
        assert split_of.setdefault(row.text.split()[0], row.split) == row.split
    assert len(rows) > 3 * len(split_of)
    assert list(split_of.values()).count("test") == pytest.approx(60, abs=20)


def test_a_piece_that_documents_share_stands_once():
    shared = "y" * 600
    documents = [Document(f"{shared}\n{'z' * 300} {i}", "evaluation", "scipy", DOCSTRING) for i in range(50)]
    texts = [row.text for row in docstring_rows(documents)]
    assert texts.count(shared) == 1
    assert len(texts) == 51


@pytest.fixture
def rows():
    groups = itertools.product(CLASSES, (DOCSTRING, CODE), ("train", "test"), range(30))
    return [LabelledText(f"{label} {kind} {split} {i}", label, kind, split) for label, kind, split, i in groups]


def test_classes_are_drawn_half_from_each_attribute_without_repeats(rows):
    texts = class_texts(rows, ["torch", "scipy"], train=21, test=10, seed=0)
    for split, number in (("train", 21), ("test", 10)):
        assert list(texts[split]) == ["torch", "scipy"]
        for label, drawn in texts[split].items():
            assert len(set(drawn)) == len(drawn) == number
            assert all(text.startswith(label) and f" {split} " in text for text in drawn)
            # 21 is odd: code, the first by name, gives the one more.
            assert sum(CODE in text.split() for text in drawn) == (number + 1) // 2


def test_a_group_is_sampled_as_pandas_does(rows):
    drawn = class_texts(rows, ["torch"], 8, 2, seed=42)["train"]["torch"]
    frame = pd.DataFrame(rows)
    groups = frame[(frame["label"] == "torch") & (frame["split"] == "train")].groupby("attribute")
    assert drawn == [text for _, group in groups for text in group["text"].sample(4, random_state=42)]


def test_the_draw_is_the_same_on_every_machine():
    rows = [LabelledText(f"text {i}", "a", "", "train") for i in range(10)]
    rows += [LabelledText(f"test {i}", "a", "", "test") for i in range(10)]
    texts = class_texts(rows, ["a"], 4, 2, seed=42)
    assert texts == {
        "train": {"a": ["text 8", "text 1", "text 5", "text 0"]},
        "test": {"a": ["test 8", "test 1"]},
    }


def test_a_source_without_a_test_part_is_shuffled_and_cut():
    rows = [LabelledText(f"{label}{i}", label, "", "") for i in range(6) for label in "ab"]
    texts = class_texts(rows, ["b", "a"], 3, 2, seed=42)
    generator = random.Random(42)
    for label in "ba":  # one generator, the classes in the order asked for
        shuffled = [f"{label}{i}" for i in range(6)]
        generator.shuffle(shuffled)
        assert texts["train"][label] == shuffled[:3]
        assert texts["test"][label] == shuffled[3:5]
    with pytest.raises(UserError, match=r"^labelled texts: class 'b' has 6 texts; 7 were asked for; ask for fewer"):
        class_texts(rows, ["b", "a"], 4, 3, seed=42)


def test_quadrants_name_attribute_then_concept_and_have_the_first_rows(rows):
    texts = quadrant_texts(rows, ("scipy", "pandas"), (DOCSTRING, CODE), train=12, test=6)
    meaning = {
        "pos_pos": ("scipy", DOCSTRING),
        "pos_neg": ("pandas", DOCSTRING),
        "neg_pos": ("scipy", CODE),
        "neg_neg": ("pandas", CODE),
    }
    for split, number in (("train", 12), ("test", 6)):
        assert list(texts[split]) == list(meaning)
        for quadrant, (label, attribute) in meaning.items():
            wanted = 2 * number if quadrant in ("pos_pos", "neg_neg") else number
            assert texts[split][quadrant] == [f"{label} {attribute} {split} {i}" for i in range(wanted)]


def test_the_seed_alone_decides_the_draw(rows):
    draws = [class_texts(rows, CLASSES, 10, 4, seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_a_source_without_attributes_is_drawn_plainly():
    rows = [LabelledText(f"{label} {i}", label, "", split) for label in "ab" for split in ("train", "test") for i in range(5)]
    texts = class_texts(rows, ["a", "b"], 5, 3, seed=0)
    assert sorted(texts["train"]["a"]) == [f"a {i}" for i in range(5)]
    assert len(texts["test"]["b"]) == 3


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda rows: class_texts(rows, CLASSES, 62, 4, 0), "class 'scipy' has 30 code texts for train; 31 were asked for"),
        (lambda rows: class_texts(rows, ["torch"], 4, 62, 0), "class 'torch' has 30 code texts for test; 31 were asked for"),
        (
            lambda rows: class_texts(rows, ["torch", "jax"], 4, 4, 0),
            "class 'jax' has 0 code texts for train; 2 were asked for; the classes are: pandas, scipy, torch",
        ),
        (
            lambda rows: quadrant_texts(rows, ("torch", "pandas"), (DOCSTRING, CODE), 16, 4),
            "class 'torch' has 30 docstring texts for train; 32 were asked for",
        ),
        (lambda rows: class_texts([], ["torch"], 4, 4, 0), "class 'torch' has 0 texts for train; .* the classes are: none"),
    ],
)
def test_too_few_texts_are_told_in_numbers(rows, draw, message):
    with pytest.raises(UserError, match="^labelled texts: " + message):
        draw(rows)
