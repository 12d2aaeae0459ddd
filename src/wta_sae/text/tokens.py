"""Documents and a tokenizer -> the contexts that models read, in a file with a checksum.

Shape suffixes: C contexts, L positions.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from wta_sae.errors import UserError
from wta_sae.files import anew, array_sha256, read_tensors, write_tensors
from wta_sae.progress import progress_bar
from wta_sae.text.packing import PACKINGS, Packed

PAD_TOKEN_OF_PYTHIA = "<|padding|>"  # in Pythia's vocabulary, though its tokenizer names no padding token
DOCUMENTS_PER_BATCH = 512  # a batch is encoded by all threads at once


def tokenize(
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    length: int,
    contexts: int | None = None,
    packing: str = "concatenated",
    prepend_bos: bool = True,
    seed: int = 0,
    skip: int = 0,
    contexts_key: str = "contexts",
) -> Packed:
    """Contexts of `texts`, taken in a shuffled order (so that sources mix) and no more of them than `contexts` take.

    skip: contexts at the start of the stream that are left to another use. Raises UserError for an unknown packing and for
    too little text, naming the config's key that asks for the contexts.
    """
    if packing not in PACKINGS:
        raise UserError(f"activations.packing: {packing!r} is unknown; use one of: {', '.join(PACKINGS)}")
    order = np.random.default_rng(seed).permutation(len(texts))
    wanted = None if contexts is None else skip + contexts
    packed = PACKINGS[packing](_encoded(texts, order, tokenizer), length, bos_id(tokenizer), prepend_bos, wanted, contexts_key)
    return packed._replace(tokens_CL=packed.tokens_CL[skip:])


def check_enough(packed: Packed, tokenizer: PreTrainedTokenizerBase, tokens: int, packing: str, asked_by: str | None) -> None:
    """Raises UserError where the contexts hold fewer ordinary tokens than `activations.tokens`.

    asked_by: what else than `activations` asks for such contexts ("ablations: packing"), for the line.
    """
    _, _, special = special_ids(tokenizer)
    if (available := int((~np.isin(packed.tokens_CL, special)).sum())) < tokens:
        by, otherwise = (f" by {asked_by}", f", or change {asked_by.split(':')[0]}") if asked_by else ("", "")
        raise UserError(
            f"activations.tokens: {tokens:,} asked for{by}, but the training text, packed as {packing!r} has it, gives "
            f"{available:,}; lower it, give more text{otherwise}"
        )


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


def _encoded(texts: Sequence[str], order: np.ndarray, tokenizer: PreTrainedTokenizerBase) -> Iterator[list[int]]:
    with progress_bar("tokenizing", len(texts), "document") as bar:
        for start in range(0, len(order), DOCUMENTS_PER_BATCH):
            batch = [texts[index] for index in order[start : start + DOCUMENTS_PER_BATCH]]
            for tokens in encode(tokenizer, batch):
                bar.update()
                yield tokens


def write_tokens(
    path: Path,
    texts: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    length: int,
    contexts: int | None = None,
    packing: str = "concatenated",
    prepend_bos: bool = True,
    seed: int = 0,
    skip: int = 0,
    description: dict[str, Any] | None = None,
    contexts_key: str = "contexts",
    tokens: int | None = None,
    asked_by: str | None = None,
) -> dict[str, Any]:
    """Writes `tokens` int32 (C, L); returns the metadata in its header.

    tokens: how many ordinary ones are needed (`check_enough`); contexts_key, asked_by: for the errors.

    description: where tokenizer and texts are from. Added to it: packing, prepend_bos, bos_id, seed, skipped contexts,
    documents read, contexts, length, tokens, sha256 of the content and of the tokenizer's vocabulary.
    """
    packed = tokenize(texts, tokenizer, length, contexts, packing, prepend_bos, seed, skip, contexts_key)
    if tokens is not None:
        check_enough(packed, tokenizer, tokens, packing, asked_by)
    metadata = {
        **(description or {}),
        "packing": packing,
        "prepend_bos": prepend_bos,
        "bos_id": bos_id(tokenizer),
        "seed": seed,
        "skipped": skip,
        "documents": packed.documents,
        "contexts": packed.tokens_CL.shape[0],
        "length": packed.tokens_CL.shape[1],
        "tokens": packed.tokens_CL.size,
        "sha256": array_sha256(packed.tokens_CL),
        "vocabulary_sha256": vocabulary_sha256(tokenizer),
    }
    write_tensors(path, {"tokens": torch.from_numpy(packed.tokens_CL)}, metadata)
    return metadata


def read_tokens(path: Path, tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """Token ids (C, L) int32 of a file of `write_tokens`, or of a .npy file of whole numbers, to be read as `tokenizer`'s.

    Raises UserError where the file is absent, damaged, not (C, L) whole numbers, or says that it is another tokenizer's (a
    .npy file says nothing).
    """
    path = Path(path)
    if path.suffix == ".npy":
        return _read_npy(path)
    tokens_CL, metadata = _read_safetensors(path)
    if metadata.get("vocabulary_sha256") not in (None, vocabulary_sha256(tokenizer)):
        raise UserError(
            f"{path}: made by another tokenizer ({metadata.get('tokenizer')}) than this model's; tokenize anew with it"
        )
    return tokens_CL


def vocabulary_sha256(tokenizer: PreTrainedTokenizerBase) -> str:
    """Digest of which token each id is."""
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: (item[1], item[0]))
    return hashlib.sha256(json.dumps(vocabulary).encode()).hexdigest()


def token_metadata(path: Path) -> dict[str, Any]:
    """What a file of `write_tokens` says of itself; for a .npy file, the digest of its content alone."""
    path = Path(path)
    return {"sha256": array_sha256(_read_npy(path).numpy())} if path.suffix == ".npy" else read_tensors(path)[1]


def _read_safetensors(path: Path) -> tuple[Tensor, dict[str, Any]]:
    tensors, metadata = read_tensors(path)
    if "tokens" not in tensors:
        raise UserError(f"{path}: no tokens file (it holds: {', '.join(tensors) or 'nothing'})")
    if metadata.get("sha256") != array_sha256(tensors["tokens"].numpy()):
        raise UserError(f"{path}: damaged (its checksum does not match); {anew(path)}")
    return tensors["tokens"], metadata


def _read_npy(path: Path) -> Tensor:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{path}: not a readable .npy file ({error})") from error
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.integer):
        raise UserError(f"{path}: holds {array.dtype} {array.shape}; token ids (contexts, positions) are needed")
    return torch.from_numpy(array.astype(np.int32))
