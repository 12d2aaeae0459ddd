"""Files of contexts that models read, and what they say of themselves.

Shape suffixes: C contexts, L positions.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from wta_sae.base.errors import UserError
from wta_sae.machine.files import anew
from wta_sae.machine.tensor_files import array_sha256, read_tensors
from wta_sae.text.tokenizer import vocabulary_sha256


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
