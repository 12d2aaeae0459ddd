"""Documents: de-duplicated, split by their text, kept in a file."""

from collections import Counter

import pytest

from wta_sae.base.errors import UserError
from wta_sae.text.documents import (
    CODE,
    DOCSTRING,
    Document,
    Passage,
    as_documents,
    counted,
    document_texts,
    fraction_of,
    lopsided,
    read_description,
    read_documents,
    write_documents,
)
from wta_sae.text.stored_texts import StoredTexts

PASSAGES = [Passage(f"document number {i}") for i in range(2000)]


def test_duplicates_and_empty_passages_are_dropped():
    passages = [Passage(text) for text in ("one  two", "", " \n", "one two", "three", "one\ntwo")]
    assert [document.text for document in as_documents(passages, 0.5)] == ["one  two", "three"]


def test_what_is_left_out_is_counted_and_recorded(tmp_path):
    passages = [Passage(text) for text in ("a", None, " ", "b", "a", "c", None, "a", "d", "e", "f", "g")]
    left_out = Counter()
    metadata = write_documents(tmp_path / "d.parquet", as_documents(passages, 0.5, left_out=left_out), {}, left_out)
    assert metadata["left_out"] == read_description(tmp_path / "d.parquet")["left_out"]
    assert metadata["left_out"] == {"null": 2, "empty": 1, "duplicate": 2}
    assert counted(left_out) == "left out: 2 without text (null), 1 with empty text, 2 duplicates"
    assert counted({}) == "left out: nothing"


def test_a_document_that_swallows_a_split_is_said(tmp_path):
    documents = [Document("x" * 30, "train"), Document("y" * 20, "train"), Document("z" * 9, "evaluation")]
    lines = list(lopsided(write_documents(tmp_path / "d.parquet", documents, {})))
    assert [line.split(";")[0] for line in lines] == [
        "text: one document holds 60% of the train split's 50 characters",
        "text: one document holds 100% of the evaluation split's 9 characters",
    ]
    even = [Document(letter, split) for letter in "abc" for split in ("train", "evaluation")]
    assert list(lopsided(write_documents(tmp_path / "d.parquet", even, {}))) == []


def test_the_split_has_the_share_asked_for_and_depends_on_the_text_alone():
    split = {document.text: document.split for document in as_documents(PASSAGES, 0.2)}
    assert list(split.values()).count("evaluation") == pytest.approx(400, abs=60)
    backwards = {document.text: document.split for document in as_documents(PASSAGES[::-1], 0.2)}
    assert backwards == split
    larger_share = {document.text: document.split for document in as_documents(PASSAGES, 0.4)}
    assert all(larger_share[text] == "evaluation" for text in split if split[text] == "evaluation")


def test_fractions_of_two_purposes_are_unrelated():
    evaluation = [passage.text for passage in PASSAGES if fraction_of(passage.text, "split") < 0.2]
    test = [text for text in evaluation if fraction_of(text, "labelled") < 0.3]
    assert len(test) == pytest.approx(0.3 * len(evaluation), abs=40)


def test_fractions_are_the_same_everywhere():
    # sha256("split", NUL, "two words"): its first 48 bits as a binary fraction.
    assert fraction_of("two  words", "split") == fraction_of("two\nwords", "split") == 0.1599956870973429


def test_code_is_kept_for_evaluation_only():
    code = [Passage(text, "numpy", CODE) for text, _, _ in PASSAGES]
    documents = list(as_documents(code, 0.2))
    assert {document.split for document in documents} == {"evaluation"}
    assert {document.text for document in documents} == {d.text for d in as_documents(PASSAGES, 0.2) if d.split == "evaluation"}


def test_a_source_is_read_no_further_than_the_budget():
    source = iter([Passage("a" * 10), Passage("b" * 10), Passage("c" * 10)])
    assert [document.text[0] for document in as_documents(source, 0.5, characters=15)] == ["a", "b"]
    assert next(source).text[0] == "c"


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 20])
def test_a_share_outside_0_and_1_is_refused(share):
    with pytest.raises(UserError, match=r"text\.evaluation_share: "):
        list(as_documents(PASSAGES, share))


DOCUMENTS = [
    Document("für\n\x00 alle", "train", "numpy", DOCSTRING),
    Document("zwei", "evaluation", "scipy", DOCSTRING),
    Document("x = 1", "evaluation", "scipy", CODE),
]


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "documents.parquet"
    metadata = write_documents(path, iter(DOCUMENTS), {"source": "docstrings"})
    assert read_documents(path) == DOCUMENTS
    assert read_documents(path, "evaluation") == DOCUMENTS[1:]
    assert list(document_texts(path, "evaluation")) == ["zwei"]
    assert read_description(path) == metadata
    assert metadata["dataset"] == {"source": "docstrings"}
    assert metadata["documents"] == {"train docstring": 1, "evaluation docstring": 1, "evaluation code": 1}
    assert metadata["characters"] == {"train docstring": 10, "evaluation docstring": 4, "evaluation code": 5}


def test_more_documents_than_a_row_group_holds(tmp_path):
    documents = list(as_documents((Passage(str(i)) for i in range(12_000)), 0.5))
    write_documents(tmp_path / "d.parquet", documents, {})
    assert read_documents(tmp_path / "d.parquet") == documents


def test_the_digest_is_of_the_content_and_the_order(tmp_path):
    digests = {
        write_documents(tmp_path / "d.parquet", documents, {})["sha256"]
        for documents in (DOCUMENTS, DOCUMENTS[::-1], [*DOCUMENTS[:2], Document("y", "train")])
    }
    assert len(digests) == 3
    assert write_documents(tmp_path / "d.parquet", DOCUMENTS, {"other": 1})["sha256"] in digests


def test_a_lone_surrogate_can_be_written(tmp_path):
    passages = [Passage(f"\ud800 {i}") for i in range(20)]
    write_documents(tmp_path / "d.parquet", as_documents(passages, 0.5), {})
    assert read_documents(tmp_path / "d.parquet")[0].text == "? 0"


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "text: the source has no text"),
        (DOCUMENTS[:1], "text: 1 documents leave none for the evaluation split"),
        ([DOCUMENTS[0], DOCUMENTS[2]], "text: 1 documents leave none for the evaluation split"),
        (DOCUMENTS[1:], "text: 1 documents leave none for the train split"),
    ],
)
def test_a_split_without_text_is_refused_and_nothing_is_left(tmp_path, documents, message):
    with pytest.raises(UserError, match=message):
        write_documents(tmp_path / "d.parquet", documents, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("read", [read_documents, lambda path: list(document_texts(path, "train")), read_description])
def test_an_absent_or_damaged_file_is_named(tmp_path, read):
    path = tmp_path / "d.parquet"
    with pytest.raises(UserError, match="no such file"):
        read(path)
    write_documents(path, DOCUMENTS, {})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"d\.parquet: not a readable documents file .* --forcerun"):
        read(path)


def test_stored_texts_are_the_texts_in_any_order_and_leave_nothing(tmp_path):
    texts = ["one", "", "zwei \N{SNOWMAN}", "three\0\r\n" * 1000]
    stored = StoredTexts(iter(texts), tmp_path)
    assert len(stored) == 4
    assert [stored[number] for number in (3, 0, 2, 1, 3)] == [texts[number] for number in (3, 0, 2, 1, 3)]
    with pytest.raises(IndexError):
        stored[4]
    assert list(tmp_path.iterdir()) == []
