"""Where tensors live and in which precision, and what makes a run repeatable."""

import os
import random

import numpy as np
import torch

from wta_sae.errors import UserError
from wta_sae.gpus import take_gpu

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def best_device() -> torch.device:
    """A GPU that no other job holds, or the CPU where torch sees no GPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    gpu = torch.device("cuda", take_gpu(torch.cuda.device_count()))
    torch.cuda.set_device(gpu)  # what names no GPU means this one
    return gpu


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
