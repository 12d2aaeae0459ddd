"""Where tensors live and in which precision, and what makes a run repeatable."""

import os
import random

import numpy as np
import torch

from wta_sae.errors import UserError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def keep_freed_memory() -> None:
    """Lets later tensors of up to 31 MB on the CPU take the memory of freed ones, where the C library is glibc.

    It would hand such memory back to the system and have every page of the next tensor mapped anew, which costs more than
    the arithmetic on it. glibc gives that up for sizes up to the largest it saw freed, with 32 MB as its limit.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def dtype_named(name: str) -> torch.dtype:
    if name not in DTYPES:
        raise UserError(f"dtype {name!r} is unknown; use one of: {', '.join(DTYPES)}")
    return DTYPES[name]


def make_repeatable(seed: int) -> None:
    """Seeds every generator and asks for deterministic kernels: same seed, machine and threads give the same bits."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
