"""How time and memory grow with the tokens, the latents and the number of SAEs, and from it the paper's size, an estimate.

    python benchmarks/growth.py

Everything else is the demo's size. Every row is measured in a process of its own: CPU time of one thread, and the most memory
it holds over what it held before. The models have random weights, which does not change their cost.
"""

import argparse
import math
import tempfile
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import torch

from caching_speed import LENGTH, MODELS, cache, contexts, random_language_model
from measuring import header, in_fresh_process, name_processor, peak_growth, row, timed
from training_speed import SIZES, activations, new_trainer
from wta_sae.metrics.core import evaluate_core
from wta_sae.training.loop import TrainingRun, train

BLOCKS, WIDTH, LAYER, _ = MODELS[0]
_, LATENTS, BATCH, K = SIZES[0]
SHARD_ROWS = 32_768
TOKENS, EVALUATED_TOKENS = (65_536, 131_072, 262_144), (8_192, 16_384, 32_768)
ALL_LATENTS, SAES = (1_024, 2_048, 4_096), (2, 4, 8)

# The paper's size: width, latents, tokens a batch, tokens, blocks below the SAE; assumed: what a GPU sustains, in FLOP/s.
PAPER = (1024, 8192, 8192, 100_000_000, 4)
SUSTAINED = {"TF32": 330e12, "bfloat16": 690e12}


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds and MB."""
    found = []
    megabytes = peak_growth(lambda: found.append(timed(work).cpu))
    return found[0], megabytes


def caching(tokens: int, _latents: int, _saes: int) -> tuple[float, float]:
    torch.set_num_threads(1)
    lm = random_language_model(BLOCKS, WIDTH, LAYER)
    with tempfile.TemporaryDirectory() as folder:
        return measured(lambda: cache(lm, tokens // LENGTH, SHARD_ROWS, Path(folder)))


def training(tokens: int, latents: int, saes: int) -> tuple[float, float]:
    """One SAE after another, on one batch again and again; what streaming costs is in caching_speed.py."""
    torch.set_num_threads(1)
    x_BD = activations(WIDTH, BATCH)

    def work() -> None:
        for _ in range(saes):
            one = TrainingRun("wta", new_trainer("wta", (WIDTH, latents, BATCH, K)))
            train([one], repeat(x_BD, tokens // BATCH), norm_factor=1.0, log_every=10)

    return measured(work)


def evaluating(tokens: int, latents: int, saes: int) -> tuple[float, float]:
    """Core metrics of all SAEs in one job."""
    torch.set_num_threads(1)
    lm = random_language_model(BLOCKS, WIDTH, LAYER)
    trainer = new_trainer("topk", (WIDTH, latents, BATCH, K))
    trainer.step(activations(WIDTH, BATCH))
    sae, _ = trainer.trained(norm_factor=1.0)
    return measured(lambda: evaluate_core(lm, {str(n): sae for n in range(saes)}, contexts(tokens // LENGTH)))


def grown(work: Callable[[int, int, int], tuple[float, float]], varied: str, cases: list[tuple[int, int, int]]) -> None:
    """Prints a row for each case; the last row's exponent e says that time grows like size ** e from the first to the last."""
    seconds = []
    for tokens, latents, saes in cases:
        taken, megabytes = in_fresh_process(work, tokens, latents, saes)
        seconds.append(taken)
        exponent = ""
        if len(seconds) == len(cases):
            size = max(last / first for first, last in zip(cases[0], cases[-1], strict=True))
            exponent = f"{math.log(seconds[-1] / seconds[0]) / math.log(size):.2f}"
        row(work.__name__, varied, f"{tokens:,}", f"{latents:,}", saes, f"{taken:.1f}", f"{megabytes:.0f}", exponent)


def estimate() -> None:
    width, latents, batch, tokens, blocks = PAPER
    step, steps = 5 * 2 * batch * width * latents, tokens // batch
    language_model = 2 * 12 * width**2 * blocks * tokens
    trainer_bytes = 4 * (8 * width * latents + batch * latents)  # two matrices, each four times, and the activations
    rates = (f"at {rate / 1e12:.0f} TFLOP/s, {name}" for name, rate in SUSTAINED.items())
    header("the paper's size, ESTIMATED", "work or size", *rates)
    for label, work, unit in (
        ("a training step's five matrix products", step, 1e3),
        (f"one SAE: {steps:,} such steps", step * steps, 1),
        ("its language model's first blocks over all tokens", language_model, 1),
    ):
        times = (f"{work / rate * unit:.1f} {'ms' if unit > 1 else 's'}" for rate in SUSTAINED.values())
        row(label, f"{work / 1e9:,.0f} GFLOP" if unit > 1 else f"{work / 1e15:.1f} PFLOP", *times)
    row("activation cache, bfloat16", f"{tokens * width * 2 / 1e9:.0f} GB", "", "")
    row("trainer: weights, gradients, moments, activations", f"{trainer_bytes / 1e6:.0f} MB", "", "")


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    name_processor()
    header("work", "varied", "tokens", "F", "SAEs", "CPU s", "peak growth MB", "exponent")
    grown(caching, "tokens", [(tokens, LATENTS, 1) for tokens in TOKENS])
    grown(training, "tokens", [(tokens, LATENTS, 1) for tokens in TOKENS])
    grown(training, "F", [(TOKENS[0], latents, 1) for latents in ALL_LATENTS])
    grown(training, "SAEs", [(TOKENS[0], LATENTS, saes) for saes in SAES])
    grown(evaluating, "tokens", [(tokens, LATENTS, 2) for tokens in EVALUATED_TOKENS])
    grown(evaluating, "F", [(EVALUATED_TOKENS[0], latents, 2) for latents in ALL_LATENTS])
    grown(evaluating, "SAEs", [(EVALUATED_TOKENS[0], LATENTS, saes) for saes in SAES])
    print()
    estimate()


if __name__ == "__main__":
    main()
