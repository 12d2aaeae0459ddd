"""What a training step computes beside the SAE itself: small pure functions.

Shape suffixes: B tokens of a batch, D model width, F latents.
"""

import torch
from torch import Tensor


def geometric_median(points_BD: Tensor, iterations: int = 100, tolerance: float = 1e-5) -> Tensor:
    """The point of least summed distance to the rows, (B, D) -> (D), by Weiszfeld's algorithm."""
    guess_D = points_BD.mean(0)
    for _ in range(iterations):
        previous_D = guess_D
        weights_B = 1 / (points_BD - guess_D).norm(dim=1).clamp(min=torch.finfo(points_BD.dtype).tiny)
        guess_D = (weights_B / weights_B.sum()) @ points_BD
        if (guess_D - previous_D).norm() < tolerance:
            break
    return guess_D


def remove_parallel_component(gradient_FD: Tensor, rows_FD: Tensor) -> None:
    """Takes from each row of the gradient, in place, its component along the unit row itself (paper section 3.1)."""
    gradient_FD.addcmul_((gradient_FD * rows_FD).sum(1, keepdim=True), rows_FD, value=-1)


def learning_rate_scale(step: int, total_steps: int, warmup_steps: int, decay_steps: int) -> float:
    """Linear warm-up from 0, then 1, then a linear decay towards 0 over the last steps; step counts from 0."""
    warm = min(step / warmup_steps, 1.0) if warmup_steps else 1.0
    cool = min((total_steps - step) / decay_steps, 1.0) if decay_steps else 1.0
    return min(warm, cool)


def moving_average(average: Tensor, value: Tensor, beta: float) -> Tensor:
    """Exponential moving average, element by element; the first finite value is taken as is, others are passed over."""
    updated = torch.where(average.isnan(), value, beta * average + (1 - beta) * value)
    return torch.where(value.isfinite(), updated, average)


def unit_rows(rows_FD: Tensor) -> Tensor:
    return rows_FD / (rows_FD.norm(dim=1, keepdim=True) + torch.finfo(rows_FD.dtype).eps)
