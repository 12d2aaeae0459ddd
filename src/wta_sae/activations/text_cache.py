"""The residuals of labelled texts, computed once for all SAEs: read from disk.

Shape suffixes: S texts, L positions, D model width, T ordinary tokens of several texts.

A cache is a directory of safetensors shards, each with the residuals (T, D) of some texts' ordinary tokens and where these
stand, (S, L), and `texts.json`. Special tokens (bos, pad, eos) are x = 0, as SAEBench has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.language_model.hook import Hook
from wta_sae.machine.files import file_sha256, read_json
from wta_sae.machine.tensor_files import read_tensors

TEXTS_FILE = "texts.json"


class TextResiduals(Protocol):
    """The residuals of numbered texts, wherever they come from."""

    context_length: int
    width: int
    device: torch.device

    def of(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Of these texts, (S, L, D), 0 at special tokens; and where the ordinary ones stand, (S, L) bool."""


@dataclass(frozen=True)
class TextDescription:
    """What a cache holds. groups: split -> group -> the numbers of its texts; shard_texts: how many to a shard."""

    hook: Hook
    context_length: int
    groups: dict[str, dict[str, list[int]]]
    texts: int
    shard_texts: int


class TextCache:
    """A cache on disk, as TextResiduals. Raises UserError where it is absent or damaged."""

    def __init__(self, directory: Path, device: torch.device):
        self.directory, self.device = Path(directory), device
        fields = read_json(self.directory / TEXTS_FILE)
        try:
            self.description = TextDescription(**fields | {"hook": Hook(**fields["hook"])})
        except (TypeError, KeyError) as error:
            raise UserError(f"{self.directory / TEXTS_FILE}: no texts of this version ({error})") from error
        self.context_length, self.width = self.description.context_length, self.description.hook.width
        self._shard = lru_cache(maxsize=2)(self._read_shard)  # texts are asked for nearly in order

    def sha256(self) -> str:
        """Digest of what it says of itself."""
        return file_sha256(self.directory / TEXTS_FILE)

    def of(self, rows: Sequence[int]) -> tuple[Tensor, Tensor]:
        valid_SL = torch.zeros(len(rows), self.context_length, dtype=torch.bool)
        residual_SLD = torch.zeros(len(rows), self.context_length, self.width)
        for place, row in enumerate(rows):
            shard, index = divmod(row, self.description.shard_texts)
            residual_TD, starts, valid_of_shard_SL = self._shard(shard)
            valid_SL[place] = valid_of_shard_SL[index]
            residual_SLD[place, valid_SL[place]] = residual_TD[starts[index] : starts[index + 1]]
        return residual_SLD.to(self.device), valid_SL.to(self.device)

    def _read_shard(self, number: int) -> tuple[Tensor, list[int], Tensor]:
        """Its residuals (T, D), where each text's begin and the last one's end, and where its tokens stand, (S, L)."""
        path = self.directory / shard_file(number)
        tensors, _ = read_tensors(path)
        valid_SL, residual_TD = tensors["valid"].bool(), tensors["residual"]
        if not residual_TD.isfinite().all():
            raise UserError(f"{path}: holds residuals that are not finite; cache the texts of a sound model anew")
        return residual_TD, [0, *valid_SL.sum(1).cumsum(0).tolist()], valid_SL


def shard_file(number: int) -> str:
    return f"shard-{number:05d}.safetensors"


def as_fields(description: TextDescription) -> dict[str, Any]:
    """For `texts.json`."""
    return vars(description) | {"hook": vars(description.hook)}
