"""The tokenizer that is trained here, and the tokens file."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers.processors import TemplateProcessing

from wta_sae.base.errors import UserError
from wta_sae.machine.tensor_files import array_sha256, read_tensors
from wta_sae.text.token_files import read_tokens
from wta_sae.text.tokenizer import bos_id, encode, load_tokenizer, vocabulary_sha256
from wta_sae.text.tokenizer_training import train_tokenizer
from wta_sae.text.tokenizing import tokenize, write_tokens

WORDS = ["the", "array", "of", "shape", "is", "returned", "by", "this", "function", "where", "each", "axis", "sums"]
TEXTS = [" ".join(np.random.default_rng(i).choice(WORDS, 40)) + f"\n\n    x{i} = {i}" for i in range(60)]


@pytest.fixture(scope="module")
def tokenizer_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tokenizer") / "here"
    train_tokenizer(TEXTS, 300, directory)
    return directory


@pytest.fixture(scope="module")
def tokenizer(tokenizer_directory):
    return load_tokenizer(tokenizer_directory)


def test_special_tokens_are_pythias(tokenizer):
    assert len(tokenizer) == 300
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id) == (0, 0, 0, 1)
    assert tokenizer.convert_ids_to_tokens([0, 1]) == ["<|endoftext|>", "<|padding|>"]


@pytest.mark.parametrize("text", [TEXTS[0], "never seen: Ω 東京 🙂\t\r\n  end ", " two  spaces", "ﬁve²"])
def test_every_text_comes_back(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert not {0, 1} & set(ids)


def test_frequent_words_are_one_token(tokenizer):
    assert len(tokenizer(" function", add_special_tokens=False)["input_ids"]) == 1


def test_the_same_texts_give_the_same_bytes(tokenizer_directory, tmp_path):
    train_tokenizer(iter(TEXTS), 300, tmp_path / "again")
    files = sorted(path.name for path in tokenizer_directory.iterdir())
    assert "tokenizer.json" in files
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (tokenizer_directory / name).read_bytes()


@pytest.mark.parametrize(
    ("vocabulary", "message"), [(257, "257 is too small; use at least 258"), (5000, r"the texts give \d+ entries, not 5000")]
)
def test_an_unreachable_vocabulary_is_refused(tmp_path, vocabulary, message):
    with pytest.raises(UserError, match=message):
        train_tokenizer(TEXTS, vocabulary, tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_contexts_hold_whole_documents_in_a_shuffled_order(tokenizer):
    texts = [f"document {i}" for i in range(40)]
    packed = tokenize(texts, tokenizer, length=16, seed=3)
    stream = packed.tokens_CL[:, 1:].reshape(-1)
    decoded = "".join(tokenizer.decode(stream.tolist())).split("<|endoftext|>")
    assert len(set(decoded[:-1])) == len(decoded) - 1  # the last one is cut
    assert set(decoded[:-1]) <= set(texts)
    assert decoded[:5] != texts[:5]


def test_the_seed_alone_decides_the_order(tokenizer):
    one, same, other = (tokenize(TEXTS, tokenizer, 16, 20, seed=seed).tokens_CL for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_no_more_documents_are_encoded_than_the_contexts_take(tokenizer):
    calls = []

    def counting(batch, **kwargs):
        calls.append(len(batch))
        return tokenizer(batch, **kwargs)

    counting.bos_token_id = 0
    packed = tokenize(TEXTS * 100, counting, 16, contexts=20)
    assert packed.tokens_CL.shape == (20, 16)
    assert len(calls) == 1


def test_eos_stands_in_for_a_missing_bos(tokenizer):
    class Stub:
        bos_token_id, eos_token_id = None, 7

    assert bos_id(Stub) == 7
    Stub.eos_token_id = None
    with pytest.raises(UserError, match="neither a bos nor an eos"):
        bos_id(Stub)


def test_a_tokenizer_that_adds_bos_itself_adds_none_here(tokenizer_directory, tokenizer):
    adding = load_tokenizer(tokenizer_directory)
    adding.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    assert adding(TEXTS[0])["input_ids"][0] == 0
    assert (tokenize(TEXTS, adding, 16).tokens_CL == tokenize(TEXTS, tokenizer, 16).tokens_CL).all()


def test_the_name_of_a_special_token_is_text(tokenizer):
    text = "a page about <|endoftext|> and <|padding|>"
    (ids,) = encode(tokenizer, [text])
    assert not {0, 1} & set(ids)
    assert tokenizer.decode(ids) == text
    assert encode(tokenizer, [text], longest=3) == [ids[:3]]
    packed = tokenize([text] * 3, tokenizer, length=16, prepend_bos=False)
    assert (packed.tokens_CL == 0).sum() <= 2  # those between the documents


def test_too_few_tokens_for_the_cache_are_found_when_text_is_tokenized(tokenizer, tmp_path):
    texts = [f"{text} <|endoftext|>" for text in TEXTS[:4]]

    def written(tokens, asked_by=None):
        out = tmp_path / "tokens.safetensors"
        write_tokens(out, texts, tokenizer, 20, packing="first", seed=1, tokens=tokens, asked_by=asked_by)
        return out

    assert written(4 * 19).exists()  # a bos in front of each context is none of them
    message = (
        r"activations.tokens: 77 asked for by ablations: packing, but the training text, packed as 'first' has it, gives 76"
    )
    with pytest.raises(UserError, match=message + "; lower it, give more text, or change ablations$"):
        written(4 * 19 + 1, "ablations: packing")
    with pytest.raises(UserError, match=r"activations.tokens: 77 asked for, but .* gives 76; lower it, give more text$"):
        written(4 * 19 + 1)


def test_too_little_text_is_told_with_the_key_that_asks(tokenizer):
    with pytest.raises(UserError, match=r"text.train_contexts: 900 contexts of length 16 asked for, but 4 documents with "):
        tokenize(TEXTS[:4], tokenizer, 16, contexts=900, contexts_key="text.train_contexts")


def test_an_unknown_packing_is_refused(tokenizer):
    with pytest.raises(UserError, match=r"activations\.packing: 'rows' is unknown; use one of: concatenated, first"):
        tokenize(TEXTS, tokenizer, 16, packing="rows")


def test_the_file_says_what_is_in_it(tokenizer, tmp_path):
    path = tmp_path / "train.safetensors"
    metadata = write_tokens(
        path, TEXTS, tokenizer, 16, 20, "first", False, 5, 0, {"tokenizer": "lm", "dataset": {"source": "files"}}
    )
    tensors, header = read_tensors(path)
    assert header == metadata
    packed = tokenize(TEXTS, tokenizer, 16, 20, "first", False, 5)
    assert (tensors["tokens"].numpy() == packed.tokens_CL).all()
    assert tensors["tokens"].dtype == torch.int32
    assert metadata == {
        "tokenizer": "lm",
        "dataset": {"source": "files"},
        "packing": "first",
        "prepend_bos": False,
        "bos_id": 0,
        "seed": 5,
        "skipped": 0,
        "documents": packed.documents,
        "contexts": 20,
        "length": 16,
        "tokens": 320,
        "sha256": array_sha256(packed.tokens_CL),
        "vocabulary_sha256": vocabulary_sha256(tokenizer),
    }


def test_what_is_skipped_is_left_to_another_use(tokenizer):
    everything = tokenize(TEXTS, tokenizer, 16, 20, seed=5).tokens_CL
    assert (tokenize(TEXTS, tokenizer, 16, 12, seed=5, skip=8).tokens_CL == everything[8:]).all()


def test_tokens_are_read_back_and_only_as_their_own_tokenizers(tokenizer, lm, tmp_path):
    path = tmp_path / "train.safetensors"
    write_tokens(path, TEXTS, tokenizer, 16, 20, description={"tokenizer": "results/x/tokenizer"})
    assert read_tokens(path, tokenizer).shape == (20, 16)
    with pytest.raises(UserError, match=r"made by another tokenizer \(results/x/tokenizer\) than this model's"):
        read_tokens(path, lm.tokenizer)


def test_npy_is_read_too(tokenizer, tmp_path):
    np.save(tmp_path / "t.npy", np.arange(6, dtype=np.int64).reshape(2, 3))
    tokens = read_tokens(tmp_path / "t.npy", tokenizer)
    assert tokens.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert tokens.dtype == torch.int32


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3)), r"holds float64 \(2, 3\); token ids"),
        (np.zeros(3, np.int32), r"holds int32 \(3,\); token ids"),
        (np.array([[{}]], object), "not a readable .npy file"),
    ],
)
def test_another_npy_array_is_refused(tokenizer, tmp_path, array, message):
    np.save(tmp_path / "t.npy", array)
    with pytest.raises(UserError, match=message):
        read_tokens(tmp_path / "t.npy", tokenizer)


def test_changed_and_cut_files_are_refused(tokenizer, tmp_path):
    path = tmp_path / "train.safetensors"
    write_tokens(path, TEXTS, tokenizer, 16, 20)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"train\.safetensors: damaged .* --forcerun"):
        read_tokens(path, tokenizer)
    path.write_bytes(content[:-10])
    with pytest.raises(UserError, match=r"train\.safetensors: damaged .* --forcerun"):
        read_tokens(path, tokenizer)


@pytest.mark.parametrize("suffix", ["safetensors", "npy"])
def test_a_missing_file_is_named(tokenizer, tmp_path, suffix):
    with pytest.raises(UserError, match=f"t.{suffix}: no such file"):
        read_tokens(tmp_path / f"t.{suffix}", tokenizer)


def test_another_safetensors_file_is_refused(tokenizer, tmp_path):
    save_file({"W_enc": torch.zeros(1)}, tmp_path / "sae.safetensors")
    with pytest.raises(UserError, match=r"no tokens file \(it holds: W_enc\)"):
        read_tokens(tmp_path / "sae.safetensors", tokenizer)
