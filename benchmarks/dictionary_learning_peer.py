"""dictionary_learning's side of training_speed.py."""

from typing import Any

import torch
from dictionary_learning.trainers.batch_top_k import BatchTopKTrainer
from dictionary_learning.trainers.top_k import TopKTrainer

from measuring import Time, answer_calls, timed

TRAINERS = {"TopK": TopKTrainer, "BatchTopK": BatchTopKTrainer}
made: dict[str, Any] = {}


def make(name: str, width: int, latents: int, tokens: int, k: int) -> None:
    """A trainer, and activations like those of training_speed.py."""
    generator = torch.Generator().manual_seed(0)
    x_BD = torch.randn(tokens, width, generator=generator) * torch.linspace(2, 0.1, width)
    options = {"steps": 10**6, "warmup_steps": 1, "threshold_start_step": 0, "lr": 1e-3, "seed": 0, "device": "cpu"}
    made[name] = TRAINERS[name](activation_dim=width, dict_size=latents, k=k, layer=0, lm_name="none", **options), x_BD


def steps(name: str, count: int, threads: int) -> Time:
    torch.set_num_threads(threads)
    trainer, x_BD = made[name]
    return timed(lambda: trainer.update(1, x_BD), count)


if __name__ == "__main__":
    answer_calls(make, steps)
