"""Caching activations against the full forward pass, memory against the shard size, and streaming against a training step.

    python benchmarks/caching_speed.py

The language models have random weights, which does not change their cost. The vocabulary is small, so that the full
pass's last product, which caching never computes, counts little. CPU time is that of one thread.

Shape suffixes: C contexts, L positions.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from measuring import Time, best_of_turns, header, in_fresh_process, name_processor, peak_growth, row, timed
from training_speed import SIZES, new_trainer
from wta_sae.activations.cache import ActivationCache
from wta_sae.activations.caching import cache_activations
from wta_sae.language_model.model import LanguageModel
from wta_sae.language_model.pretraining import LanguageModelOptions, new_language_model
from wta_sae.language_model.residual_stream import ResidualStream
from wta_sae.variants.registry import VARIANTS

VOCABULARY, LENGTH, BATCH_CONTEXTS = 4096, 128, 64
MODELS = ((4, 128, 2, 256), (12, 512, 2, 64))  # blocks, width, layer, contexts; the first is the demo's
SHARD_ROWS = 16_384
DEMO_SHARD_ROWS = 131_072
ROUNDS = 3
AIM = 0.8  # of blocks / (layer + 1)


class Tokenizer(SimpleNamespace):
    """As much of one as an untrained model asks for."""

    def __len__(self) -> int:
        return VOCABULARY


TOKENIZER: Any = Tokenizer(bos_token_id=0, eos_token_id=0)


def random_language_model(blocks: int, width: int, layer: int) -> LanguageModel:
    options = LanguageModelOptions(blocks, width, width // 32, 0, 0, 0.0, 0)
    model = new_language_model(options, TOKENIZER, LENGTH, seed=0).eval().requires_grad_(False)
    return LanguageModel(model, TOKENIZER, ResidualStream(model, layer), 0, 0, (0,), "a random model")


def contexts(count: int) -> torch.Tensor:
    tokens_CL = torch.randint(1, VOCABULARY, (count, LENGTH), generator=torch.Generator().manual_seed(0))
    tokens_CL[:, 0] = 0
    return tokens_CL


def cache(lm: LanguageModel, count: int, shard_rows: int, folder: Path, batch: int = BATCH_CONTEXTS) -> ActivationCache:
    rows = count * (LENGTH - 1)
    cache_activations(folder / "cache", lm, contexts(count), {}, rows, torch.float32, shard_rows, batch, 0)
    return ActivationCache(folder / "cache")


def caching_against_the_full_pass(blocks: int, width: int, layer: int, count: int, folder: Path) -> None:
    lm = random_language_model(blocks, width, layer)

    def full_pass() -> None:
        for batch_CL in contexts(count).split(BATCH_CONTEXTS):
            lm.logits(batch_CL)

    turns = {
        "full pass": lambda: timed(full_pass),
        "caching": lambda: timed(lambda: cache(lm, count, SHARD_ROWS, folder)),
    }
    best_of_turns(turns, 1)  # warm-up
    best = best_of_turns(turns, ROUNDS)
    rates = [count * LENGTH / best[name].cpu for name in turns]
    depth = blocks / (layer + 1)
    faster = rates[1] / rates[0]
    row(blocks, width, layer, *(f"{rate:,.0f}" for rate in rates), f"{faster:.2f}", f"{AIM * depth:.2f}")


def growth_while_caching(shard_rows: int) -> float:
    """MB at the most, with three shards of so many rows, by a model and batches that hardly need any themselves."""
    torch.set_num_threads(1)
    lm, few = random_language_model(1, MODELS[-1][1], 0), 8
    lm.residual(contexts(few))
    with tempfile.TemporaryDirectory() as folder:
        return peak_growth(lambda: cache(lm, 3 * shard_rows // (LENGTH - 1), shard_rows, Path(folder), few))


def memory_against_the_shard_size() -> None:
    header("rows of a shard", "shard MB", "peak growth MB", "in shards")
    for rows in (SHARD_ROWS, 4 * SHARD_ROWS):
        shard, growth = rows * MODELS[-1][1] * 4 / 1e6, in_fresh_process(growth_while_caching, rows)
        row(f"{rows:,}", f"{shard:.0f}", f"{growth:.0f}", f"{growth / shard:.1f}")
    print()


def streaming_against_a_step(folder: Path) -> None:
    blocks, width, layer, _ = MODELS[0]
    tokens = SIZES[0][2]
    stored = cache(random_language_model(blocks, width, layer), 2 * DEMO_SHARD_ROWS // (LENGTH - 1), DEMO_SHARD_ROWS, folder)
    batches = sum(1 for _ in stored.batches(tokens, seed=0))
    x_BD = next(stored.batches(tokens, seed=0)) / stored.manifest.norm_factor
    turns: dict[str, Callable[[], Time]] = {"streaming": lambda: timed(lambda: sum(1 for _ in stored.batches(tokens, seed=0)))}
    for variant in VARIANTS:
        turns[variant] = partial(timed, partial(new_trainer(variant, SIZES[0]).step, x_BD), 5)
    best_of_turns(turns, 1)  # warm-up
    best = best_of_turns(turns, ROUNDS)
    stream = best["streaming"].cpu / batches
    header("variant", "CPU ms a step", "CPU ms to stream its batch", "share")
    for variant in VARIANTS:
        row(variant, f"{best[variant].cpu * 1000:.1f}", f"{stream * 1000:.2f}", f"{stream / best[variant].cpu:.1%}")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    name_processor()
    with tempfile.TemporaryDirectory() as folder:
        header("blocks", "width", "layer", "tokens/s, full pass", "tokens/s, caching", "times faster", "aim")
        for model in MODELS:
            caching_against_the_full_pass(*model, Path(folder))
        print()
        memory_against_the_shard_size()
        streaming_against_a_step(Path(folder))


if __name__ == "__main__":
    main()
