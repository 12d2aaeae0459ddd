"""What one GPU makes of the paper's size: a training step of each variant beside the floor of a dense one, and the language
model that fills the cache. How fast the cache feeds the steps is `feeding_speed.py`'s.

    python benchmarks/gpu_speed.py

The floor is the five matrix products of a dense step in bfloat16, with nothing around them, into memory that is there. Times
are the medians of many, between two events of the GPU. The language model has Pythia-410m's sizes and random weights, which
does not change its cost.

Shape suffixes: B tokens of a batch, C contexts, D model width, F latents.
"""

import argparse
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
from transformers import GPTNeoXForCausalLM

from caching_speed import LENGTH, TOKENIZER, contexts
from measuring import header, name_processor, row
from random_pythia import pythia_410m
from training_speed import activations, at_k_latents_a_token, dense_floor, new_trainer
from wta_sae.language_model.model import LanguageModel
from wta_sae.language_model.residual_stream import ResidualStream
from wta_sae.machine.devices import best_device, prepare_to_compute
from wta_sae.variants.registry import VARIANTS

SIZE = WIDTH, LATENTS, TOKENS, K = 1024, 8192, 8192, 64  # D, F, B and k of the paper
WARM_UP, STEPS = 5, 30
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


def pythia(dtype: torch.dtype, device: torch.device) -> LanguageModel:
    """A GPT-NeoX of Pythia-410m's sizes."""
    model: Any = GPTNeoXForCausalLM(pythia_410m())
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
    forward_passes(device)


if __name__ == "__main__":
    main()
