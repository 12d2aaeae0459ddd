"""Tokens as a person reads them."""

import unicodedata
from functools import cache

from transformers import PreTrainedTokenizerBase

SHOWN = {"\n": "↵", "\r": "␍", "\t": "⇥"}
JOINERS = "\u200c\u200d"  # invisible, but letters of many scripts and emoji are formed by them
WORD_START = "▁"  # a space, in the pieces of SentencePiece
INCOMPLETE = "\ufffd"  # what decodes to it is a part of a letter's bytes


class TokenTexts:
    """The text of each token: as it stands in a text, and as it is shown."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer = tokenizer
        self.text = cache(self._text)
        self.shown = cache(lambda token: visible(self.text(token)))

    def _text(self, token: int) -> str:
        """Alone it may be no text, as a part of a letter's bytes is not: then the tokenizer's own name of it, in brackets."""
        piece = str(self.tokenizer.convert_ids_to_tokens(token))
        text = str(self.tokenizer.decode([token], clean_up_tokenization_spaces=False))
        if piece.startswith(WORD_START) and not text.startswith(" "):  # which SentencePiece leaves out where a text begins
            text = " " + text
        return f"⟨{piece}⟩" if INCOMPLETE in text or not text else text


def visible(text: str) -> str:
    """Text with a sign for all that has none of its own; spaces stay, and what disturbs its neighbours is named."""
    return "".join(SHOWN.get(sign) or (f"⟨U+{ord(sign):04X}⟩" if _disturbs(sign) else sign) for sign in text)


def _disturbs(sign: str) -> bool:
    """Control and format characters, among them those that turn the direction of writing; line separators; no character."""
    return sign not in JOINERS and unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp", "Cn", "Cs", "Co")
