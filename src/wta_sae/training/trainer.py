"""One trainer for every SAE variant: what sets one apart is its rule (`wta_sae.codes.variant_rule`).

Shape suffixes: B tokens of a batch, D model width, F latents, K latents that may be dead.

Source: the paper's sections 3.1 and 5.1; where its text is silent, the authors' released code (a fork of
dictionary_learning). Activations are trained on divided by their norm factor, and the factor is folded into the biases
and thresholds of the SAE that comes out, so that it acts on raw activations.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from wta_sae.base.given import given
from wta_sae.codes.codes import Codes
from wta_sae.codes.dense_selection import top_k_dense
from wta_sae.codes.fast_selection import top_k_pairs
from wta_sae.codes.variant_rule import Encoded, Fit, Moment, TrainingSizes, VariantRule
from wta_sae.machine.devices import tensor_cores
from wta_sae.plan.schedule import check_threshold_start
from wta_sae.sae.sae import SAE
from wta_sae.training.adam import Adam
from wta_sae.training.arithmetic import (
    geometric_median,
    learning_rate_scale,
    moving_average,
    remove_parallel_component,
    unit_rows,
)
from wta_sae.training.auxiliary import Select, auxiliary_loss
from wta_sae.variants.loading import rule_of, spec_of
from wta_sae.variants.variant_options import VariantOptions

GRADIENT_NORM_LIMIT = 1.0
WHOLE_TILES = 64  # a GPU multiplies matrices fast whose sizes are multiples of this


@dataclass(frozen=True)
class TrainingOptions:
    """The `training` section of config.yaml."""

    latents: int = field(metadata={"help": "F, the number of latents"})
    batch_tokens: int = field(metadata={"help": "B, tokens a step"})
    epochs: int = field(metadata={"help": "passes over the activation cache"})
    learning_rate: float = field(metadata={"help": "of Adam, after the warm-up"})
    warmup_steps: int = field(metadata={"help": "steps of linear warm-up from 0"})
    decay_steps: int = field(metadata={"help": "last steps, over which the rate falls linearly to 0; 0: none"})
    threshold_start_step: int = field(metadata={"help": "the inference thresholds begin after this step, counted from 0"})
    threshold_beta: float = field(metadata={"help": "of the thresholds' moving average"})
    dead_after_tokens: int = field(metadata={"help": "a latent that has not fired for so many tokens is dead"})
    auxiliary_coefficient: float = field(metadata={"help": "weight of the loss that revives dead latents"})


class StepStatistics(NamedTuple):
    """What one step tells of its batch; 0-dimensional tensors, so that reading them is the caller's choice.

    loss: mean over tokens of the squared error summed over D, plus the weighted auxiliary loss.
    l0: active latents a token. explained_variance: 1 - sum |x - y|^2 / sum |x - mean x|^2. dead: dead latents.
    """

    loss: Tensor
    l0: Tensor
    explained_variance: Tensor
    dead: Tensor


class Trainer:
    """Trains one SAE on batches of normalised activations.

    rule: of the variant, made by `new_rule`. total_steps: where the learning rate's decay ends.
    """

    def __init__(
        self, rule: VariantRule, width: int, options: TrainingOptions, total_steps: int, seed: int, device: torch.device
    ):
        self.rule, self.options, self.total_steps = rule, options, total_steps
        generator = torch.Generator().manual_seed(seed)
        # The directions of torch's default linear layer; only they survive the normalisation.
        W_dec_FD = torch.empty(options.latents, width).uniform_(-1, 1, generator=generator)
        self.W_dec_FD = unit_rows(W_dec_FD).to(device)
        self.W_enc_FD = self.W_dec_FD.clone()
        self.b_enc_F = torch.zeros(options.latents, device=device)
        self.b_dec_D = torch.zeros(width, device=device)
        self.parameters = [self.W_enc_FD, self.b_enc_F, self.W_dec_FD, self.b_dec_D, *rule.parameters.values()]
        self.adam = Adam(self.parameters, rule.adam_betas)
        # Active pairs alone or dense tensors: equal in what they give, and each the faster on its device.
        self.select_top_k: Select = top_k_pairs if device.type == "cpu" else top_k_dense
        # One buffer for all steps: fresh memory of this size costs more than it takes to fill it.
        self.pre_BF = _pre_activation_buffer(options.batch_tokens, options.latents, rule.latents_first, device)
        self.steps = 0
        self.silent_tokens_F = torch.zeros(options.latents, dtype=torch.long, device=device)
        self.threshold = torch.tensor(torch.nan, device=device)  # NaN: not set yet
        self.thresholds_F = torch.full((options.latents,), torch.nan, device=device)
        # As bound_dead would find: no latent has been silent yet.
        self.most_dead, self.bound_until_step = 0, (options.dead_after_tokens - 1) // options.batch_tokens

    def bound_dead(self, steps: int) -> None:
        """Counts the latents that can be dead within the next `steps` steps, and reads the count from the device.

        It spares these steps work, and changes no result: the auxiliary loss is exact whatever the bound is, and a step for
        which there is none reckons with all latents.
        """
        silence = self.options.dead_after_tokens - steps * self.options.batch_tokens
        count = int((self.silent_tokens_F >= silence).sum())
        self.most_dead = min(math.ceil(count / WHOLE_TILES) * WHOLE_TILES, self.options.latents)
        self.bound_until_step = self.steps + steps

    @torch.no_grad()
    @tensor_cores()
    def step(self, x_BD: Tensor) -> StepStatistics:
        """One optimisation step on normalised activations (B, D), B being `options.batch_tokens`.

        On a GPU no step but the first, which sets the decoder's bias, waits for the device.
        """
        tokens = len(x_BD)
        if self.steps == 0:
            self.b_dec_D.copy_(geometric_median(x_BD))
        centred_BD = x_BD - self.b_dec_D
        pre_BF = torch.addmm(self.b_enc_F, centred_BD, self.W_enc_FD.T, out=self.pre_BF)
        encoded = Encoded(centred_BD, pre_BF, self.W_dec_FD)
        moment = Moment(self.steps, self.threshold, self.silent_tokens_F)
        fit = self.rule.fit(encoded, moment)
        self.rule.follow(encoded, moment)
        self._follow(fit.codes, tokens)
        dead_F = self.silent_tokens_F >= self.options.dead_after_tokens
        loss = fit.loss + self._revive(encoded, fit, dead_F)
        # The pre-encoder bias meets the loss twice: added to the output, and taken from the encoder's input.
        b_dec_gradient_D = fit.output_gradient_BD.sum(0) - fit.gradient.b_enc_F @ self.W_enc_FD
        self._update([*fit.gradient, b_dec_gradient_D, *fit.own])
        return StepStatistics(
            loss=loss,
            l0=fit.codes.active() / tokens,
            explained_variance=1 - fit.squared_error * tokens / (x_BD - x_BD.mean(0)).square().sum(),
            dead=dead_F.sum(),
        )

    def _revive(self, encoded: Encoded, fit: Fit, dead_F: Tensor) -> Tensor | int:
        """Adds the gradient of the dead latents' auxiliary loss to that of the fit; the weighted loss, 0 where none is dead."""
        most_dead = self.most_dead if self.steps < self.bound_until_step else self.options.latents
        if not (self.rule.auxiliary_loss and most_dead):
            return 0
        candidates_K = self.silent_tokens_F.topk(most_dead, sorted=False).indices.sort().values
        W_dec_KD = self.W_dec_FD[candidates_K]
        dead_pre_BK = encoded.pre_BF[:, candidates_K].masked_fill_(~dead_F[candidates_K], 0)
        auxiliary = auxiliary_loss(fit.error_BD, dead_pre_BK, W_dec_KD, self.select_top_k)
        dead_gradient_BD = self.options.auxiliary_coefficient * auxiliary.output_gradient_BD
        dead_gradient = auxiliary.codes.gradients(dead_gradient_BD, encoded.centred_BD, W_dec_KD)
        for of_all, of_candidates in zip(fit.gradient, dead_gradient, strict=True):
            of_all.index_add_(0, candidates_K, of_candidates)
        return self.options.auxiliary_coefficient * auxiliary.loss * dead_F.any()

    def _update(self, parameter_gradients: list[Tensor]) -> None:
        for parameter, gradient in zip(self.parameters, parameter_gradients, strict=True):
            parameter.grad = gradient
        remove_parallel_component(given(self.W_dec_FD.grad, "the decoder's gradient"), self.W_dec_FD)
        torch.nn.utils.clip_grad_norm_(self.parameters, GRADIENT_NORM_LIMIT)
        scale = learning_rate_scale(self.steps, self.total_steps, self.options.warmup_steps, self.options.decay_steps)
        self.adam.step(self.options.learning_rate * scale)
        self.W_dec_FD.copy_(unit_rows(self.W_dec_FD))
        self.steps += 1

    def _follow(self, codes: Codes, tokens: int) -> None:
        """Keeps the count of silent tokens and the moving averages of the thresholds."""
        smallest_F = codes.smallest_of_latents()
        self.silent_tokens_F.add_(tokens).masked_fill_(smallest_F.isfinite(), 0)
        if self.steps > self.options.threshold_start_step:
            self.thresholds_F = moving_average(self.thresholds_F, smallest_F, self.options.threshold_beta)
        if self.steps > self.rule.shared_threshold_start():
            batch_value = self.rule.batch_threshold(codes, smallest_F)
            self.threshold = moving_average(self.threshold, batch_value, self.options.threshold_beta)

    def state(self) -> dict[str, Tensor]:
        """All that a trainer made with the same arguments needs to go on from here."""
        return {
            "steps": torch.tensor(self.steps),
            "dead_bound": torch.tensor([self.most_dead, self.bound_until_step]),
            "silent_tokens": self.silent_tokens_F,
            "threshold": self.threshold,
            "thresholds": self.thresholds_F,
            **{f"rule.{name}": value for name, value in self.rule.state.items()},
            **{f"parameter.{index}": parameter.detach() for index, parameter in enumerate(self.parameters)},
            **{f"adam.{index}.{name}": value for index, values in enumerate(self.adam.state) for name, value in values.items()},
        }

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor]) -> None:
        """Takes up the `state` of another trainer."""
        self.steps = int(state["steps"])
        self.most_dead, self.bound_until_step = state["dead_bound"].tolist()
        device = self.b_dec_D.device
        self.silent_tokens_F, self.threshold, self.thresholds_F = (
            state[name].to(device) for name in ("silent_tokens", "threshold", "thresholds")
        )
        self.rule.state = {name: state[f"rule.{name}"].to(device) for name in self.rule.state}
        for index, parameter in enumerate(self.parameters):
            parameter.copy_(state[f"parameter.{index}"])
        self.adam.load([{name: state[f"adam.{index}.{name}"] for name in own} for index, own in enumerate(self.adam.state)])

    def trained(self, norm_factor: float, rates: tuple[float, ...] = ()) -> tuple[SAE, dict[str, Tensor]]:
        """The SAE on raw activations, read out by its variant's own rule, and the thresholds of every rule.

        What never won since the thresholds began has an infinite threshold: it stays silent.
        """
        rule = self.rule.inference
        followed = (threshold.nan_to_num(nan=torch.inf) for threshold in (self.threshold, self.thresholds_F))
        thresholds = self.rule.thresholds(*followed)
        sae = SAE(
            W_enc_DF=self.W_enc_FD.T,
            b_enc_F=self.b_enc_F,
            W_dec_FD=self.W_dec_FD,
            b_dec_D=self.b_dec_D,
            inference=rule,
            k=self.rule.k if rule == "topk" else None,
            threshold=thresholds.get(rule),
            rate=max(rates, default=None),
        )
        return self.rule.rescaled(sae, norm_factor), {name: value * norm_factor for name, value in thresholds.items()}


def new_rule(
    variant: str,
    k: int,
    options: TrainingOptions,
    total_steps: int,
    device: torch.device,
    own: VariantOptions | None = None,
) -> VariantRule:
    """The rule of one SAE, for its trainer.

    variant: a folder of `wta_sae.variants`; k: active latents a token, or winners a latent where its budget is `rates`; own:
    the variant's options, its defaults unless told. Raises UserError for an unknown variant and what cannot be trained.
    """
    spec = spec_of(variant)
    check_threshold_start(options.threshold_start_step, total_steps)
    spec.check_k(k, options.latents, options.batch_tokens)
    sizes = TrainingSizes(options.latents, options.batch_tokens, total_steps, options.threshold_start_step)
    return rule_of(variant)(k, own or spec.options(), sizes, device)


def _pre_activation_buffer(tokens: int, latents: int, latents_first: bool, device: torch.device) -> Tensor:
    """An uninitialised (B, F) tensor in the layout that the variant's rule reads fastest."""
    if latents_first:
        return torch.empty(latents, tokens, device=device).T
    return torch.empty(tokens, latents, device=device)
