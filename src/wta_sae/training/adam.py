"""Adam in one fused kernel, by torch's functional form: its class loads torch's compiler first, for seconds of every job."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

from wta_sae.base.given import given

EPSILON = 1e-8


class Adam:
    """Updates the parameters in place by their `grad`, as torch.optim.Adam(parameters, betas=betas, fused=True) does.

    state: that class's own, by parameter; on the parameters' device, step counts included.
    """

    def __init__(self, parameters: Sequence[Tensor], betas: tuple[float, float]) -> None:
        self.parameters, self.betas = list(parameters), betas
        self.state = [
            {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),  # a GPU's kernel reads no other
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
            for parameter in self.parameters
        ]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        adam(
            self.parameters,
            [given(parameter.grad, "a parameter's gradient") for parameter in self.parameters],
            [state["exp_avg"] for state in self.state],
            [state["exp_avg_sq"] for state in self.state],
            [],  # of AMSGrad
            [state["step"] for state in self.state],
            fused=True,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=learning_rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )

    def load(self, state: Sequence[Mapping[str, Tensor]]) -> None:
        """Takes up the `state` of another Adam, which may be on another device."""
        for own, other in zip(self.state, state, strict=True):
            for name, value in own.items():
                value.copy_(other[name])
