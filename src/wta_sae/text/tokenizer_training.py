"""A byte-level BPE tokenizer of the default run's own, with Pythia's special tokens at Pythia's ids."""

import os
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from wta_sae.base.errors import UserError
from wta_sae.machine.files import replacing

END_OF_TEXT, PADDING = "<|endoftext|>", "<|padding|>"  # ids 0 and 1, as in Pythia
SMALLEST_VOCABULARY = 256 + 2  # every byte, and the special tokens


def train_tokenizer(texts: Iterable[str], vocabulary: int, directory: Path) -> None:
    """Trains on `texts` and writes a transformers directory; the same texts give the same bytes.

    <|endoftext|> is bos, eos and unk, <|padding|> is pad (Pythia has it in its vocabulary, but names no pad token).
    Raises UserError for a vocabulary that cannot hold every byte, or that the texts are too few to fill.
    """
    if vocabulary < SMALLEST_VOCABULARY:
        raise UserError(f"language_model.train.vocabulary: {vocabulary} is too small; use at least {SMALLEST_VOCABULARY}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(END_OF_TEXT, special=True), AddedToken(PADDING, special=True)],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=os.isatty(2),
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() < vocabulary:
        raise UserError(
            f"language_model.train.vocabulary: the texts give {tokenizer.get_vocab_size()} entries, not {vocabulary}; "
            "give more text or ask for a smaller vocabulary"
        )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        unk_token=END_OF_TEXT,
        pad_token=PADDING,
        clean_up_tokenization_spaces=False,
    )
    with replacing(directory) as temporary:
        wrapped.save_pretrained(temporary)
