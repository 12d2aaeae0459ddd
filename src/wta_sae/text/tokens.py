"""Documents and a tokenizer -> the contexts that models read, in a file with a checksum.

Shape suffixes: C contexts, L positions.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
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
) -> Packed:
    """Contexts of `texts`, taken in a shuffled order (so that sources mix) and no more of them than `contexts` take.

    skip: contexts at the start of the stream that are left to another use. Raises UserError for an unknown packing and for
    too little text.
    """
    if packing not in PACKINGS:
        raise UserError(f"activations.packing: {packing!r} is unknown; use one of: {', '.join(PACKINGS)}")
    order = np.random.default_rng(seed).permutation(len(texts))
    wanted = None if contexts is None else skip + contexts
    packed = PACKINGS[packing](_encoded(texts, order, tokenizer), length, bos_id(tokenizer), prepend_bos, wanted)
    return packed._replace(tokens_CL=packed.tokens_CL[skip:])


def bos_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that stands in front of a context: bos, or eos for a tokenizer that has none (as TransformerLens does)."""
    bos = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if bos is None:
        raise UserError("the tokenizer has neither a bos nor an eos token; name one in tokenizer_config.json")
    return bos


def _encoded(texts: Sequence[str], order: np.ndarray, tokenizer: PreTrainedTokenizerBase) -> Iterator[list[int]]:
    with progress_bar("tokenizing", len(texts), "document") as bar:
        for start in range(0, len(order), DOCUMENTS_PER_BATCH):
            batch = [texts[index] for index in order[start : start + DOCUMENTS_PER_BATCH]]
            # verbose: longer than the model's context is no mistake here, packing cuts it.
            encoded = tokenizer(
                batch,
                add_special_tokens=False,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,
            )
            for tokens in encoded["input_ids"]:
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
) -> dict[str, Any]:
    """Writes `tokens` int32 (C, L); returns the metadata in its header.

    description: where tokenizer and texts are from. Added to it: packing, prepend_bos, bos_id, seed, skipped contexts,
    documents read, contexts, length, tokens, sha256 of the content and of the tokenizer's vocabulary.
    """
    packed = tokenize(texts, tokenizer, length, contexts, packing, prepend_bos, seed, skip)
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
