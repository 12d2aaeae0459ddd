"""Writes the activation cache: the residual stream of a language model after one block, shuffled across documents.

Shape suffixes: N cached tokens, B contexts of a batch, C contexts, L positions, D model width.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wta_sae.activations.cache import Manifest
from wta_sae.activations.shards import Source, write_cache
from wta_sae.base.errors import UserError
from wta_sae.language_model.model import LanguageModel
from wta_sae.machine.tensor_files import array_sha256


def cache_activations(
    directory: Path,
    lm: LanguageModel,
    tokens_CL: Tensor,
    token_metadata: dict[str, Any],
    rows: int,
    dtype: torch.dtype,
    shard_rows: int,
    batch_contexts: int,
    seed: int,
    computed_by: Mapping[str, Any] | None = None,
) -> Manifest:
    """Writes the residuals of the first `rows` valid tokens of the shuffled contexts.

    Contexts are taken in a seeded random order, each shard's rows are shuffled: neighbours in the cache come from different
    documents. See `write_cache`.

    computed_by: code and versions (`wta_sae.machine.origin.computed_by`); shards of others are not taken over.

    Raises UserError where the contexts hold fewer than `rows` valid tokens, or a residual is not finite.
    """
    if min(rows, shard_rows, batch_contexts) < 1:
        raise UserError("activations: tokens, shard_tokens and batch_contexts must be at least 1")
    if shard_rows < min(tokens_CL.shape[1], rows):
        raise UserError(
            f"activations.shard_tokens: {shard_rows} is less than a context's {tokens_CL.shape[1]} tokens, so that nothing "
            "would be mixed; raise it to many contexts"
        )
    tokens_CL = tokens_CL[torch.randperm(len(tokens_CL), generator=torch.Generator().manual_seed(seed))]
    ends_C = lm.valid(tokens_CL).sum(1).cumsum(0)
    available = int(ends_C[-1]) if len(ends_C) else 0
    if available < rows:
        raise UserError(
            f"activations.tokens: {rows:,} asked for, but the training text gives {available:,}; lower it or add text"
        )
    model_sha256 = lm.sha256()
    source = Source(
        rows_between=lambda start, stop: _residuals(lm, tokens_CL, ends_C, start, stop, batch_contexts),
        width=lm.width,
        hook_name=lm.hook_name,
        model=lm.source,
        model_sha256=model_sha256,
        model_dtype=lm.dtype,
        context_size=tokens_CL.shape[1],
        tokens=token_metadata,
    )
    origin = {
        "model": model_sha256,
        "hook": lm.hook_name,
        "tokens": array_sha256(tokens_CL.numpy()),
        "batch_contexts": batch_contexts,
        **(computed_by or {}),
    }
    return write_cache(directory, source, rows, dtype, shard_rows, seed, origin)


def _residuals(
    lm: LanguageModel, tokens_CL: Tensor, ends_C: Tensor, start: int, stop: int, batch_contexts: int
) -> Iterator[Tensor]:
    """Rows `start` to `stop` of the valid tokens' residuals, a batch of contexts at a time, float32 on the model's device.

    ends_C: the number of valid tokens up to each context, that context included.
    """
    first, last = (int(torch.searchsorted(ends_C, row, right=True)) for row in (start, stop - 1))
    taken = int(ends_C[first - 1]) if first else 0  # rows before the first context, some of which another shard has
    for batch_BL in tokens_CL[first : last + 1].split(batch_contexts):
        residual_ND = lm.residual(batch_BL)[lm.valid(batch_BL).to(lm.device)]
        residual_ND = residual_ND[max(start - taken, 0) : stop - taken]
        taken = max(taken, start) + len(residual_ND)
        yield residual_ND
