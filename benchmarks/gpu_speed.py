"""What one GPU makes of the paper's size: a training step of each variant beside the floor of a dense one, the cache that
feeds it, and the language model that fills the cache.

    python benchmarks/gpu_speed.py

The floor is the five matrix products of a dense step in bfloat16, with nothing around them, into memory that is there. Times
are the medians of many, between two events of the GPU. The cache of the second table is in the page cache: what a disk gives
comes on top. The language model has Pythia-410m's sizes and random weights, which does not change its cost.

Shape suffixes: B tokens of a batch, C contexts, D model width, F latents, N rows of a shard.
"""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from caching_speed import LENGTH, TOKENIZER, contexts
from measuring import header, name_processor, row
from training_speed import activations, at_k_latents_a_token, dense_floor, new_trainer
from wta_sae.activations.cache import ActivationCache
from wta_sae.activations.shards import Source, write_cache
from wta_sae.language_model.model import LanguageModel
from wta_sae.language_model.residual_stream import ResidualStream
from wta_sae.machine.devices import best_device, prepare_to_compute
from wta_sae.training.prefetch import on_device
from wta_sae.variants.registry import VARIANTS

SIZE = WIDTH, LATENTS, TOKENS, K = 1024, 8192, 8192, 64  # D, F, B and k of the paper
WARM_UP, STEPS = 5, 30
SHARDS, SHARD_ROWS = 2, 262_144
LAYER, BATCH_CONTEXTS, FEW_CONTEXTS, BATCHES = 3, 256, 32, 8  # logits of few contexts at once: those of one take 26 MB


def milliseconds(work: Callable[[], object], repeats: int = STEPS) -> float:
    """The median of the GPU's times for `work`."""
    for _ in range(WARM_UP):
        work()
    taken = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        end.synchronize()
        taken.append(begin.elapsed_time(end))
    return median(taken)


def steps_beside_the_floor(device: torch.device) -> None:
    header("step", "ms", "of the floor", "peak memory, MB")
    floor = milliseconds(dense_floor(WIDTH, LATENTS, TOKENS, device, torch.bfloat16))
    row("dense floor", f"{floor:.2f}", "1.0", "")
    x_BD = activations(WIDTH, TOKENS).to(device)
    for name in VARIANTS:
        torch.cuda.reset_peak_memory_stats()
        trainer = at_k_latents_a_token(new_trainer(name, SIZE, device=device), x_BD, K)
        trainer.bound_dead(10**5)  # as the training loop does; none is dead here
        taken = milliseconds(partial(trainer.step, x_BD))
        row(name, f"{taken:.2f}", f"{taken / floor:.1f}", f"{torch.cuda.max_memory_allocated() / 1e6:.0f}")
        del trainer
    print()


def random_rows(start: int, stop: int) -> Iterator[torch.Tensor]:
    yield torch.randn(stop - start, WIDTH, generator=torch.Generator().manual_seed(start))


def feeding(device: torch.device, folder: Path) -> None:
    source = Source(random_rows, WIDTH, "", "", "", 0, {})
    write_cache(folder / "cache", source, SHARDS * SHARD_ROWS, torch.bfloat16, SHARD_ROWS, 0, {})
    cache = ActivationCache(folder / "cache")
    files = [folder / "cache" / shard.file for shard in cache.manifest.shards]
    size = sum(file.stat().st_size for file in files)

    def read() -> None:
        for file in files:
            file.read_bytes()

    def digest() -> None:
        for file in files:
            with file.open("rb") as opened:
                hashlib.file_digest(opened, "sha256")

    def batches() -> None:
        for _ in cache.batches(TOKENS, seed=0):
            pass

    def to_the_gpu() -> None:
        for _ in on_device(cache.batches(TOKENS, seed=0), device):
            pass
        torch.cuda.synchronize()

    header("the cache, warm", "GB/s", "of plain reading")
    rates = {}
    ways = {"plain reading": read, "its digest": digest, "batches": batches, "batches on the GPU": to_the_gpu}
    for name, way in ways.items():
        begin = time.perf_counter()
        way()
        rates[name] = size / 1e9 / (time.perf_counter() - begin)
        row(name, f"{rates[name]:.2f}", f"{rates[name] / rates['plain reading']:.2f}")
    print()


def pythia(dtype: torch.dtype, device: torch.device) -> LanguageModel:
    """A GPT-NeoX of Pythia-410m's sizes."""
    config = GPTNeoXConfig(
        vocab_size=50304, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
    )
    model: Any = GPTNeoXForCausalLM(config)
    model.to(device=device, dtype=dtype).eval().requires_grad_(False)
    return LanguageModel(model, TOKENIZER, ResidualStream(model, LAYER), 0, 0, (0,), "a random model")


def to_the_cache(lm: LanguageModel, tokens_CL: torch.Tensor) -> torch.Tensor:
    return lm.residual(tokens_CL).cpu()


def forward_passes(device: torch.device) -> None:
    tokens_CL = contexts(BATCH_CONTEXTS)
    header("language model in", "tokens/s to the cached layer", "tokens/s to the logits")
    for dtype in (torch.float32, torch.bfloat16):
        lm = pythia(dtype, device)
        passes = (partial(to_the_cache, lm, tokens_CL), partial(lm.logits, tokens_CL[:FEW_CONTEXTS]))
        taken = [milliseconds(one, BATCHES) for one in passes]
        counts = (BATCH_CONTEXTS * LENGTH, FEW_CONTEXTS * LENGTH)
        rates = [count / ms * 1000 for count, ms in zip(counts, taken, strict=True)]
        row(str(dtype).removeprefix("torch."), *(f"{rate:,.0f}" for rate in rates))


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    device = best_device()
    if device.type != "cuda":
        raise SystemExit("gpu_speed.py: torch sees no GPU here")
    prepare_to_compute(0, threads=1)  # as the workflow trains
    print(torch.cuda.get_device_name(device))
    name_processor()
    steps_beside_the_floor(device)
    with tempfile.TemporaryDirectory() as folder:
        feeding(device, Path(folder))
    forward_passes(device)


if __name__ == "__main__":
    main()
