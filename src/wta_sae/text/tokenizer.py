"""A tokenizer, its special tokens, and text encoded without them."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from wta_sae.base.errors import UserError, first_line

PAD_TOKEN_OF_PYTHIA = "<|padding|>"  # in Pythia's vocabulary, though its tokenizer names no padding token


def special_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int, tuple[int, ...]]:
    """The ids of bos, of pad, and of all special tokens in order: bos, eos and pad. A token is *ordinary* where it is none.

    As SAEBench has them (through TransformerLens): eos for a missing bos, bos for a missing eos, eos for a missing pad.
    """
    bos = bos_id(tokenizer)
    eos = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else bos
    pad = tokenizer.pad_token_id
    if pad is None:
        pad = tokenizer.get_vocab().get(PAD_TOKEN_OF_PYTHIA, eos)
    return bos, pad, tuple(sorted({bos, eos, pad}))


def bos_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that stands in front of a context: bos, or eos for a tokenizer that has none (as TransformerLens does)."""
    bos = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if bos is None:
        raise UserError("the tokenizer has neither a bos nor an eos token; name one in tokenizer_config.json")
    return bos


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], longest: int | None = None) -> list[list[int]]:
    """The token ids of each text, of its first `longest` tokens at most, with no special token among them.

    A special token's name that stands in a text ("<|endoftext|>" in a page about language models) is text like any other.
    transformers would make the token of it by default, and so does SAEBench.
    """
    cut = {} if longest is None else {"truncation": True, "max_length": longest}
    return tokenizer(
        list(texts),
        add_special_tokens=False,
        split_special_tokens=True,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,  # longer than the model's context is no mistake here, packing cuts it
        **cut,
    )["input_ids"]


def check_texts(texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, context_length: int) -> None:
    """Raises UserError for a text of which no ordinary token comes into a context: its mean activation does not exist."""
    _, _, special = special_ids(tokenizer)
    distinct = list(dict.fromkeys(texts))
    for text, ids in zip(distinct, encode(tokenizer, distinct, context_length - 1), strict=True):
        if set(ids) <= set(special):
            raise UserError(
                f"labelled texts: {text[:40]!r} has no token of this tokenizer but special ones in its first "
                f"{context_length - 1}; leave such texts out"
            )


def load_tokenizer(directory: Path) -> PreTrainedTokenizerBase:
    """Loads a local fast tokenizer. Raises UserError where there is none."""
    directory = Path(directory)
    if not (directory / "tokenizer.json").is_file():
        raise UserError(f"{directory}: no tokenizer (tokenizer.json is missing); save one there with tokenizer.save_pretrained")
    try:
        return AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises bare Exception for a damaged file
        raise UserError(f"{directory}: the tokenizer does not load ({first_line(error)})") from error


def vocabulary_sha256(tokenizer: PreTrainedTokenizerBase) -> str:
    """Digest of which token each id is."""
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: (item[1], item[0]))
    return hashlib.sha256(json.dumps(vocabulary).encode()).hexdigest()
