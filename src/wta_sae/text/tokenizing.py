"""Documents and a tokenizer -> the contexts that models read, in a file with a checksum.

Shape suffixes: C contexts, L positions.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from wta_sae.base.errors import UserError
from wta_sae.base.progress import progress_bar
from wta_sae.machine.tensor_files import array_sha256, write_tensors
from wta_sae.text.packing import PACKINGS, Packed
from wta_sae.text.stored_texts import Texts
from wta_sae.text.tokenizer import bos_id, encode, special_ids, vocabulary_sha256

DOCUMENTS_PER_BATCH = 512  # a batch is encoded by all threads at once


def tokenize(
    texts: Texts,
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


def _encoded(texts: Texts, order: np.ndarray, tokenizer: PreTrainedTokenizerBase) -> Iterator[list[int]]:
    with progress_bar("tokenizing", len(texts), "document") as bar:
        for start in range(0, len(order), DOCUMENTS_PER_BATCH):
            batch = [texts[index] for index in order[start : start + DOCUMENTS_PER_BATCH]]
            for tokens in encode(tokenizer, batch):
                bar.update()
                yield tokens


def write_tokens(
    path: Path,
    texts: Texts,
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
