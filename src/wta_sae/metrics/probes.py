"""Logistic probes on pooled activations, trained as SAEBench does, and fast on a CPU.

Shape suffixes: N texts, B texts of a step, D width of the probed activations (model width or latents).

Source: SAEBench 0.6.0 `train_probe_gpu`. AdamW is written out over one parameter vector: the tensors are so small that
an optimizer object and autograd cost several times the arithmetic.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

BETA_1, BETA_2, EPSILON, WEIGHT_DECAY = 0.9, 0.999, 1e-8, 0.01  # torch.optim.AdamW's own


@dataclass(frozen=True)
class Recipe:
    """How a probe is trained.

    patience: epochs without a better selection accuracy before training stops. l1: weight of |w|_1 in the loss.
    """

    learning_rate: float
    batch: int
    epochs: int
    patience: int
    l1: float


FULL_PROBE = Recipe(learning_rate=1e-2, batch=250, epochs=100, patience=10, l1=0.0)
PERTURBATION_PROBE = Recipe(learning_rate=1e-3, batch=16, epochs=20, patience=20, l1=1e-3)  # never stops early


@dataclass(frozen=True)
class Probe:
    """Positive where x . weight + bias > 0."""

    weight_D: Tensor
    bias: Tensor

    def logits(self, x_ND: Tensor) -> Tensor:
        return torch.addmv(self.bias, x_ND, self.weight_D)

    def accuracy(self, x_ND: Tensor, is_positive_N: Tensor) -> float:
        return ((self.logits(x_ND) > 0) == is_positive_N).double().mean().item()


@torch.no_grad()
def train_probe(
    x_ND: Tensor,
    is_positive_N: Tensor,
    selection_x_ND: Tensor,
    selection_is_positive_N: Tensor,
    recipe: Recipe,
    generator: torch.Generator,
) -> tuple[Probe, float]:
    """The probe of the epoch that did best on the selection set, and its accuracy there (the first such epoch's).

    SAEBench selects on the TEST set, which flatters; hand it a part of the training set for an honest choice.
    generator: on the CPU; drawn from for the weights, the bias, and the order of each epoch, as SAEBench draws.
    """
    width, device = x_ND.shape[1], x_ND.device
    bound = 1 / math.sqrt(width)  # nn.Linear's initial weights
    initial = [torch.empty(n).uniform_(-bound, bound, generator=generator) for n in (width, 1)]
    probe = _Trainee(torch.cat(initial).to(device), recipe)
    target_N = is_positive_N.to(x_ND)
    best, best_accuracy, waited = probe.frozen(), -1.0, 0
    for _ in range(recipe.epochs):
        order_N = torch.randperm(len(x_ND), generator=generator).to(device)
        for rows_B in order_N.split(recipe.batch):
            probe.step(x_ND.index_select(0, rows_B), target_N.index_select(0, rows_B))
        accuracy = probe.current.accuracy(selection_x_ND, selection_is_positive_N)
        if accuracy > best_accuracy:
            best, best_accuracy, waited = probe.frozen(), accuracy, 0
        else:
            waited += 1
        if waited >= recipe.patience:
            break
    return best, best_accuracy


class _Trainee:
    """Weights and bias in one vector, and one AdamW step on binary cross-entropy + l1 |w|_1."""

    def __init__(self, parameters: Tensor, recipe: Recipe) -> None:
        self.recipe = recipe
        self.parameters = parameters
        self.current = Probe(parameters[:-1], parameters[-1])
        self.gradient = torch.empty_like(parameters)
        self.mean, self.square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self.steps = 0

    def frozen(self) -> Probe:
        parameters = self.parameters.clone()
        return Probe(parameters[:-1], parameters[-1])

    def step(self, x_BD: Tensor, target_B: Tensor) -> None:
        error_B = self.current.logits(x_BD).sigmoid_().sub_(target_B).div_(len(x_BD))
        torch.mv(x_BD.T, error_B, out=self.gradient[:-1])
        torch.sum(error_B, dim=0, out=self.gradient[-1])
        rate = self.recipe.learning_rate
        if self.recipe.l1:
            self.gradient[:-1].add_(self.current.weight_D.sign(), alpha=self.recipe.l1)
        self.steps += 1
        self.mean.lerp_(self.gradient, 1 - BETA_1)
        self.square.mul_(BETA_2).addcmul_(self.gradient, self.gradient, value=1 - BETA_2)
        scale = self.square.sqrt().div_(math.sqrt(1 - BETA_2**self.steps)).add_(EPSILON)
        self.parameters.mul_(1 - rate * WEIGHT_DECAY)
        self.parameters.addcdiv_(self.mean, scale, value=-rate / (1 - BETA_1**self.steps))
