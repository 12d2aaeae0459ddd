"""The residuals of labelled texts: computed by a language model, and written to disk for all SAEs.

Shape suffixes: S texts, L positions, D model width.

Source: SAEBench 0.6.0 `tokenize_data_dictionary`, `get_all_llm_activations`.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from wta_sae.activations.text_cache import TEXTS_FILE, TextDescription, as_fields, shard_file
from wta_sae.base.errors import UserError
from wta_sae.base.progress import progress_bar
from wta_sae.language_model.model import LanguageModel
from wta_sae.machine.files import replacing, write_json
from wta_sae.machine.tensor_files import write_tensors
from wta_sae.text.tokenizer import encode

CONTEXT = 128  # tokens of a text, BOS included
BATCH = 125  # texts of a forward pass, as SAEBench has it
SHARD_TEXTS = 1024


def tokenize_texts(lm: LanguageModel, texts: Sequence[str], context_length: int = CONTEXT) -> Tensor:
    """BOS, the text's first tokens, padding on the right: (S, L) int64."""
    ids = encode(lm.tokenizer, texts, context_length - 1)
    tokens_SL = torch.full((len(texts), context_length), lm.pad_id)
    tokens_SL[:, 0] = lm.bos_id
    for row_L, text_ids in zip(tokens_SL, ids, strict=True):
        row_L[1 : 1 + len(text_ids)] = torch.tensor(text_ids, dtype=torch.int64)
    return tokens_SL


class ComputedTexts:
    """The residuals of texts as TextResiduals, computed when they are asked for."""

    def __init__(self, lm: LanguageModel, texts: Sequence[str], context_length: int = CONTEXT):
        self.lm, self.texts, self.context_length = lm, texts, context_length
        self.width, self.device = lm.width, lm.device

    @torch.no_grad()
    def of(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Raises UserError for a text without ordinary tokens, whose mean activation does not exist."""
        texts = [self.texts[row] for row in rows]
        tokens_SL = tokenize_texts(self.lm, texts, self.context_length).to(self.device)
        valid_SL = self.lm.valid(tokens_SL)
        if not (some_S := valid_SL.any(1)).all():
            empty = texts[int((~some_S).nonzero()[0, 0])]
            raise UserError(f"texts: {empty[:40]!r} has no ordinary token to pool; leave such texts out")
        return self.lm.residual(tokens_SL) * valid_SL[..., None], valid_SL


def cache_texts(
    directory: Path,
    lm: LanguageModel,
    texts: Sequence[str],
    groups: dict[str, dict[str, list[int]]],
    context_length: int = CONTEXT,
    batch_texts: int = BATCH,
    shard_texts: int = SHARD_TEXTS,
) -> TextDescription:
    """Writes the residuals of `texts`, `batch_texts` a forward pass; groups: of their numbers (`labelled_groups.numbered`)."""
    computed = ComputedTexts(lm, texts, context_length)
    description = TextDescription(lm.hook(), context_length, groups, len(texts), shard_texts)
    with replacing(directory) as temporary, progress_bar("caching texts", len(texts), "text") as bar:
        temporary.mkdir()
        for number, start in enumerate(range(0, len(texts), shard_texts)):
            rows = range(start, min(start + shard_texts, len(texts)))
            residuals, valids = [], []
            for first in range(0, len(rows), batch_texts):
                residual_SLD, valid_SL = computed.of(rows[first : first + batch_texts])
                residuals.append(residual_SLD[valid_SL].cpu())
                valids.append(valid_SL.cpu())
                bar.update(len(valid_SL))
            shard = {"residual": torch.cat(residuals), "valid": torch.cat(valids)}
            write_tensors(temporary / shard_file(number), shard)
        write_json(temporary / TEXTS_FILE, as_fields(description))
    return description
