"""Token lists -> contexts, on literal examples."""

import numpy as np
import pytest

from wta_sae.base.errors import UserError
from wta_sae.text.packing import PACKINGS, pack_concatenated, pack_first

DOCUMENTS = [[11, 12], [], [21, 22, 23, 24, 25], [31, 32]]
BOS = 0


def test_concatenated_with_bos():
    packed = pack_concatenated(DOCUMENTS, 4, BOS)
    # The stream: 11 12 BOS 21 22 23 24 25 BOS 31 32; the last two fill no context.
    assert packed.tokens_CL.tolist() == [[0, 11, 12, 0], [0, 21, 22, 23], [0, 24, 25, 0]]
    assert packed.tokens_CL.dtype == np.int32
    assert packed.documents == 3


def test_concatenated_without_bos():
    assert pack_concatenated(DOCUMENTS, 4, BOS, prepend_bos=False).tokens_CL.tolist() == [[11, 12, 0, 21], [22, 23, 24, 25]]


def test_first_with_bos():
    packed = pack_first(DOCUMENTS, 3, BOS)
    assert packed.tokens_CL.tolist() == [[0, 11, 12], [0, 21, 22], [0, 31, 32]]
    assert packed.documents == 3


def test_first_without_bos_fills_short_documents_with_what_is_masked():
    packed = pack_first(DOCUMENTS, 3, BOS, prepend_bos=False)
    assert packed.tokens_CL.tolist() == [[11, 12, BOS], [21, 22, 23], [31, 32, BOS]]
    assert packed.tokens_CL.dtype == np.int32
    assert packed.documents == 3


@pytest.mark.parametrize("packing", PACKINGS.values())
@pytest.mark.parametrize("prepend_bos", [True, False])
def test_fewer_contexts_are_the_first_ones_and_later_documents_stay_unread(packing, prepend_bos):
    rng = np.random.default_rng(0)
    documents = [rng.integers(1, 100, size).tolist() for size in rng.integers(1, 30, 50)]
    everything = packing(documents, 8, BOS, prepend_bos)
    source = iter(documents)
    few = packing(source, 8, BOS, prepend_bos, contexts=5)
    assert few.tokens_CL.tolist() == everything.tokens_CL[:5].tolist()
    assert few.documents < everything.documents
    assert next(source) == documents[few.documents]


def test_reading_stops_with_the_document_that_fills_the_last_context():
    # Three tokens besides BOS: 11 12 BOS. The BOS is there only once a second document is.
    assert pack_concatenated(DOCUMENTS, 4, BOS, contexts=1).documents == 2
    assert pack_concatenated(DOCUMENTS[:1] * 9, 3, BOS, contexts=1).documents == 1
    assert pack_first(DOCUMENTS, 3, BOS, contexts=1).documents == 1


def test_concatenated_keeps_every_token_in_order():
    rng = np.random.default_rng(1)
    documents = [rng.integers(1, 100, size).tolist() for size in rng.integers(1, 30, 50)]
    packed = pack_concatenated(documents, 9, BOS)
    assert (packed.tokens_CL[:, 0] == BOS).all()
    stream = packed.tokens_CL[:, 1:].reshape(-1).tolist()
    expected = [token for document in documents for token in [BOS, *document]][1:]
    assert stream == expected[: len(stream)]
    assert len(expected) - len(stream) < 8


@pytest.mark.parametrize(
    ("packing", "message"),
    [
        (
            "concatenated",
            "contexts: 4 contexts of length 4 asked for, but 3 documents with 11 tokens give 3; lower it or give more text",
        ),
        ("first", "contexts: 4 contexts of length 4 asked for, but 3 documents give 3; lower it or give more text"),
    ],
)
def test_too_little_text_is_told_in_numbers(packing, message):
    with pytest.raises(UserError, match=f"^{message}"):
        PACKINGS[packing](DOCUMENTS, 4, BOS, contexts=4)


@pytest.mark.parametrize(
    ("packing", "documents"),
    [(pack_concatenated, []), (pack_concatenated, [[]]), (pack_concatenated, DOCUMENTS), (pack_first, []), (pack_first, [[]])],
)
def test_no_context_at_all_is_refused(packing, documents):
    with pytest.raises(UserError, match="give no context of length 50"):
        packing(documents, 50, BOS)


@pytest.mark.parametrize("packing", PACKINGS.values())
def test_a_length_without_room_for_text_is_refused(packing):
    with pytest.raises(UserError, match="use at least 2"):
        packing(DOCUMENTS, 1, BOS)
