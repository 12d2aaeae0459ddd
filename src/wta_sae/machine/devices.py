"""Where tensors live and in which precision, and what makes a run repeatable."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.base.gpus import take_gpu

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def best_device() -> torch.device:
    """A GPU that no other job holds, or the CPU where torch sees no GPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    gpu = torch.device("cuda", take_gpu(torch.cuda.device_count()))
    torch.cuda.set_device(gpu)  # what names no GPU means this one
    return gpu


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


def product_dtype(tensor: Tensor) -> torch.dtype:
    """What a training step multiplies matrices in: bfloat16 on a GPU that computes in it, else the tensor's own dtype."""
    on_gpu = tensor.device.type == "cuda"
    return torch.bfloat16 if on_gpu and torch.cuda.is_bf16_supported(including_emulation=False) else tensor.dtype


@contextmanager
def tensor_cores() -> Iterator[None]:
    """Inside the block a GPU multiplies float32 matrices in TF32 (10 bits of mantissa), and sums bfloat16 in float32.

    A CPU multiplies as ever.
    """
    flags = torch.backends.cuda.matmul
    before = flags.allow_tf32, flags.allow_bf16_reduced_precision_reduction
    flags.allow_tf32, flags.allow_bf16_reduced_precision_reduction = True, False
    try:
        yield
    finally:
        flags.allow_tf32, flags.allow_bf16_reduced_precision_reduction = before


def prepare_to_compute(seed: int, threads: int) -> None:
    """What every stage that computes begins with: `make_repeatable`, and memory that is kept."""
    make_repeatable(seed, threads)
    keep_freed_memory()


def make_repeatable(seed: int, threads: int) -> None:
    """Seeds every generator, sets the threads and asks for deterministic kernels: the same of both give the same bits.

    So they do on one kind of processor. Raises UserError for fewer threads than one.
    """
    if threads < 1:
        raise UserError(f"--threads: {threads} is not a number from 1 on")
    torch.set_num_threads(threads)
    threadpool_limits(threads)  # of the libraries behind numpy and scikit-learn
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    # As use_deterministic_algorithms(True, warn_only=True), which loads torch's compiler first, for seconds of every job.
    torch.set_deterministic_debug_mode("warn")
    # Filling fresh tensors finds bugs, and is a tenth of a language model's training step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
