"""CPU time a training step of each variant, beside the floor of a dense step: its five matrix products, in the same run.

    python benchmarks/training_speed.py --threads 1

CPU time, because other work on the machine hardly touches it; of all threads together, so that one that waits counts too.

Shape suffixes: B tokens of a batch, D model width, F latents.
"""

import argparse
import functools
import time
from collections.abc import Callable

import torch

from wta_sae.devices import make_repeatable
from wta_sae.training import Trainer, TrainingOptions
from wta_sae.variants import VARIANTS

SIZES = ((128, 2048, 2048, 16), (128, 1024, 2048, 32), (512, 4096, 4096, 64))  # D, F, B and k; the first are the demo's
WARM_UP, STEPS, ROUNDS = 3, 5, 3


def milliseconds(step: Callable[[], object]) -> float:
    start = time.process_time()
    for _ in range(STEPS):
        step()
    return (time.process_time() - start) / STEPS * 1000


def dense_floor(x_BD: torch.Tensor, W_DF: torch.Tensor) -> Callable[[], None]:
    """Encode, decode, and the products of their gradients, with nothing around them."""
    acts_BF = x_BD @ W_DF

    def products() -> None:
        torch.mm(x_BD, W_DF, out=acts_BF)
        for _ in range(2):
            acts_BF @ W_DF.T
        for _ in range(2):
            x_BD.T @ acts_BF

    return products


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    torch.set_num_threads(parser.parse_args().threads)
    make_repeatable(0)  # as the workflow trains
    print("| D | F | B | k | step | CPU ms | of the floor |\n|---|---|---|---|---|---|---|")
    for width, latents, tokens, k in SIZES:
        generator = torch.Generator().manual_seed(0)
        x_BD = torch.randn(tokens, width, generator=generator) * torch.linspace(2, 0.1, width)
        options = TrainingOptions(latents, tokens, 1, 1e-3, 0, 0, 0, 0.99, 10**9, 1 / 32)
        steps = {"dense floor": dense_floor(x_BD, torch.randn(width, latents, generator=generator))}
        for variant in VARIANTS:
            budget = k if VARIANTS[variant].budget == "k" else k * tokens // latents
            trainer = Trainer(variant, budget, width, options, 10**6, 0, torch.device("cpu"))
            steps[variant] = functools.partial(trainer.step, x_BD)
        for step in steps.values():
            for _ in range(WARM_UP):
                step()
        # Interleaved, and the best round of each: what else the machine does hits all alike.
        rounds = [{name: milliseconds(step) for name, step in steps.items()} for _ in range(ROUNDS)]
        best = {name: min(times[name] for times in rounds) for name in steps}
        for name, took in best.items():
            ratio = took / best["dense floor"]
            print(f"| {width} | {latents} | {tokens} | {k} | {name} | {took:.0f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
