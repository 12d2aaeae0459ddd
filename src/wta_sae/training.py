"""One trainer for every SAE variant: the variants differ in their selection rule and in little else.

Shape suffixes: B tokens of a batch, D model width, F latents, K latents that may be dead.

Source: the paper's sections 3.1 and 5.1; where its text is silent, the authors' released code (a fork of
dictionary_learning). Activations are trained on divided by their norm factor, and the factor is folded into the biases
and thresholds of the SAE that comes out, so that it acts on raw activations.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from wta_sae.codes import Codes
from wta_sae.dense_codes import select_dense
from wta_sae.devices import tensor_cores
from wta_sae.errors import UserError
from wta_sae.fast_selection import pre_activation_buffer, select_pairs
from wta_sae.sae import SAE
from wta_sae.schedule import check_threshold_start
from wta_sae.variants import variant_named

ADAM_BETAS, ADAM_EPSILON = (0.9, 0.999), 1e-8
GRADIENT_NORM_LIMIT = 1.0
GLOBAL_RULES = ("threshold", "described")  # one threshold for all latents, by either name
WHOLE_TILES = 64  # a GPU multiplies matrices fast whose sizes are multiples of this
GATES = ("never", "early", "late")
Select = Callable[[str, Tensor, int], Codes]  # rule, pre-activations (B, F), k


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

    variant: a name in `wta_sae.variants.VARIANTS`; k: active latents a token, or winners a latent for WTA.
    total_steps: where the learning rate's decay ends.

    Two switches are for the variant with the winners' budget, WTA, alone; any other raises UserError for them.

    gate: whether activations that are not above the global threshold, as it stands before the step, are dropped before
        the winners are taken. `early`: up to and including `threshold_start_step`, as the paper's text says ("during the
        initial training phase"); the threshold is then followed from the first step on. `late`: after that step, as the
        authors' released code does. While the gate is on, every winner is above the threshold, so that the threshold,
        which follows the smallest of them, can only rise.
    rescale_encoder_bias: false saves the SAE as the released code's WTA class does: the norm factor is folded into the
        decoder's bias and the thresholds and not into the encoder's bias, which is then that factor too small.
    """

    def __init__(
        self,
        variant: str,
        k: int,
        width: int,
        options: TrainingOptions,
        total_steps: int,
        seed: int,
        device: torch.device,
        *,
        gate: str = "never",
        rescale_encoder_bias: bool = True,
    ):
        check_threshold_start(options.threshold_start_step, total_steps)
        self.variant, self.k, self.options, self.total_steps = variant_named(variant), k, options, total_steps
        limit = options.latents if self.variant.budget == "k" else options.batch_tokens
        if not 1 <= k <= limit:
            raise UserError(f"k: {k} is not between 1 and {limit}, the {variant} SAE's most")
        if gate not in GATES:
            raise UserError(f"gate: {gate!r} is unknown; use one of: {', '.join(GATES)}")
        if self.variant.budget != "rates" and (gate != "never" or not rescale_encoder_bias):
            switch = "gate" if gate != "never" else "rescale_encoder_bias"
            raise UserError(f"{switch}: only a WTA SAE can be trained so, not {variant}; leave it at its default")
        self.gate, self.rescale_encoder_bias = gate, rescale_encoder_bias
        generator = torch.Generator().manual_seed(seed)
        # The directions of torch's default linear layer; only they survive the normalisation.
        W_dec_FD = torch.empty(options.latents, width).uniform_(-1, 1, generator=generator)
        self.W_dec_FD = _unit_rows(W_dec_FD).to(device)
        self.W_enc_FD = self.W_dec_FD.clone()
        self.b_enc_F = torch.zeros(options.latents, device=device)
        self.b_dec_D = torch.zeros(width, device=device)
        self.parameters = [self.W_enc_FD, self.b_enc_F, self.W_dec_FD, self.b_dec_D]
        self.optimiser = torch.optim.Adam(
            self.parameters, lr=options.learning_rate, betas=ADAM_BETAS, eps=ADAM_EPSILON, fused=True
        )
        # Active pairs alone or dense tensors: equal in what they give, and each the faster on its device.
        self.select: Select = select_pairs if device.type == "cpu" else select_dense
        # One buffer for all steps: fresh memory of this size costs more than it takes to fill it.
        self.pre_BF = pre_activation_buffer(self.variant.selection, options.batch_tokens, options.latents, device)
        self.steps = 0
        self.silent_tokens_F = torch.zeros(options.latents, dtype=torch.long, device=device)
        self.threshold = torch.tensor(torch.nan, device=device)  # NaN: not set yet
        self.thresholds_F = torch.full((options.latents,), torch.nan, device=device)
        # As look_ahead would find: no latent has been silent yet.
        self.perhaps_dead, self.horizon = 0, (options.dead_after_tokens - 1) // options.batch_tokens

    def look_ahead(self, steps: int) -> None:
        """Counts the latents that can be dead within the next `steps` steps, and reads the count from the device.

        It spares these steps work, and changes no result: the auxiliary loss is exact whatever was foreseen, and a step
        beyond the horizon reckons with all latents.
        """
        silence = self.options.dead_after_tokens - steps * self.options.batch_tokens
        count = int((self.silent_tokens_F >= silence).sum())
        self.perhaps_dead = min(math.ceil(count / WHOLE_TILES) * WHOLE_TILES, self.options.latents)
        self.horizon = self.steps + steps

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
        if self._gate_is_on():
            pre_BF.masked_fill_(pre_BF <= self.threshold, 0)  # keeps all where the threshold is not set yet
        codes = self.select(self.variant.selection, pre_BF, self.k)
        error_BD = centred_BD - codes.decode(self.W_dec_FD)
        squared_error = loss = error_BD.square().sum() / tokens
        output_gradient_BD = error_BD * (-2 / tokens)
        gradient = codes.gradients(output_gradient_BD, centred_BD, self.W_dec_FD)
        self._follow(codes, tokens)
        dead_F = self.silent_tokens_F >= self.options.dead_after_tokens
        most_dead = self.perhaps_dead if self.steps < self.horizon else self.options.latents
        if self.variant.auxiliary_loss and most_dead:
            candidates_K = self.silent_tokens_F.topk(most_dead, sorted=False).indices.sort().values
            W_dec_KD = self.W_dec_FD[candidates_K]
            dead_pre_BK = pre_BF[:, candidates_K].masked_fill_(~dead_F[candidates_K], 0)
            auxiliary = auxiliary_loss(error_BD, dead_pre_BK, W_dec_KD, self.select)
            loss = loss + self.options.auxiliary_coefficient * auxiliary.loss * dead_F.any()  # none dead: no loss
            dead_gradient_BD = self.options.auxiliary_coefficient * auxiliary.output_gradient_BD
            dead_gradient = auxiliary.codes.gradients(dead_gradient_BD, centred_BD, W_dec_KD)
            for of_all, of_candidates in zip(gradient, dead_gradient, strict=True):
                of_all.index_add_(0, candidates_K, of_candidates)
        # The pre-encoder bias meets the loss twice: added to the output, and taken from the encoder's input.
        b_dec_gradient_D = output_gradient_BD.sum(0) - gradient.b_enc_F @ self.W_enc_FD
        self._update([*gradient, b_dec_gradient_D])
        return StepStatistics(
            loss=loss,
            l0=codes.active() / tokens,
            explained_variance=1 - squared_error * tokens / (x_BD - x_BD.mean(0)).square().sum(),
            dead=dead_F.sum(),
        )

    def _update(self, parameter_gradients: list[Tensor]) -> None:
        for parameter, gradient in zip(self.parameters, parameter_gradients, strict=True):
            parameter.grad = gradient
        remove_parallel_component(self.W_dec_FD.grad, self.W_dec_FD)
        torch.nn.utils.clip_grad_norm_(self.parameters, GRADIENT_NORM_LIMIT)
        scale = learning_rate_scale(self.steps, self.total_steps, self.options.warmup_steps, self.options.decay_steps)
        self.optimiser.param_groups[0]["lr"] = self.options.learning_rate * scale
        self.optimiser.step()
        self.W_dec_FD.copy_(_unit_rows(self.W_dec_FD))
        self.steps += 1

    def _thresholds_have_begun(self) -> bool:
        return self.steps > self.options.threshold_start_step

    def _gate_is_on(self) -> bool:
        return self.gate != "never" and self._thresholds_have_begun() == (self.gate == "late")

    def _follow(self, codes: Codes, tokens: int) -> None:
        """Keeps the count of silent tokens and the moving averages of the thresholds."""
        smallest_F = codes.smallest_of_latents()
        self.silent_tokens_F.add_(tokens).masked_fill_(smallest_F.isfinite(), 0)
        if self._thresholds_have_begun():
            self.thresholds_F = moving_average(self.thresholds_F, smallest_F, self.options.threshold_beta)
        elif self.gate != "early":
            return
        if self.variant.threshold == "token mean":
            smallest_B = codes.smallest_of_tokens()
            batch_value = smallest_B.masked_fill(smallest_B.isinf(), torch.nan).nanmean()  # NaN where nothing is active
        else:
            batch_value = smallest_F.amin()
        self.threshold = moving_average(self.threshold, batch_value, self.options.threshold_beta)

    def state(self) -> dict[str, Tensor]:
        """All that a trainer made with the same arguments needs to go on from here."""
        adam = self.optimiser.state_dict()["state"]
        return {
            "steps": torch.tensor(self.steps),
            "foreseen": torch.tensor([self.perhaps_dead, self.horizon]),
            "silent_tokens": self.silent_tokens_F,
            "threshold": self.threshold,
            "thresholds": self.thresholds_F,
            **{f"parameter.{index}": parameter for index, parameter in enumerate(self.parameters)},
            **{f"adam.{index}.{name}": value for index, values in adam.items() for name, value in values.items()},
        }

    @torch.no_grad()
    def restore(self, state: dict[str, Tensor]) -> None:
        """Takes up the `state` of another trainer."""
        self.steps = int(state["steps"])
        self.perhaps_dead, self.horizon = state["foreseen"].tolist()
        device = self.b_dec_D.device
        self.silent_tokens_F, self.threshold, self.thresholds_F = (
            state[name].to(device) for name in ("silent_tokens", "threshold", "thresholds")
        )
        for index, parameter in enumerate(self.parameters):
            parameter.copy_(state[f"parameter.{index}"])
        adam = self.optimiser.state_dict()
        adam["state"] = {
            index: {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}
            for index in range(len(self.parameters))
            for start in [f"adam.{index}."]
        }
        self.optimiser.load_state_dict(adam)

    def trained(self, norm_factor: float, rates: tuple[float, ...] = ()) -> tuple[SAE, dict[str, Tensor]]:
        """The SAE on raw activations, read out by its variant's own rule, and the thresholds of every rule.

        What never won since the thresholds began has an infinite threshold: it stays silent.
        """
        rule = self.variant.inference[0]
        shared_rule = next((name for name in self.variant.inference if name in GLOBAL_RULES), "threshold")
        thresholds = {
            shared_rule: self.threshold.nan_to_num(nan=torch.inf),
            "per_latent": self.thresholds_F.nan_to_num(nan=torch.inf),
        }
        sae = SAE(
            W_enc_DF=self.W_enc_FD.T,
            b_enc_F=self.b_enc_F,
            W_dec_FD=self.W_dec_FD,
            b_dec_D=self.b_dec_D,
            inference=rule,
            k=self.k if rule == "topk" else None,
            threshold=thresholds.get(rule),
            rate=max(rates, default=None),
        )
        rescaled = sae.rescaled(norm_factor)
        if not self.rescale_encoder_bias:
            rescaled = replace(rescaled, b_enc_F=self.b_enc_F)
        return rescaled, {name: value * norm_factor for name, value in thresholds.items()}


class AuxiliaryLoss(NamedTuple):
    """The loss, the codes of dead latents that it uses, and its gradient (B, D) by what they decode to."""

    loss: Tensor
    codes: Codes
    output_gradient_BD: Tensor


def auxiliary_loss(error_BD: Tensor, dead_pre_BK: Tensor, W_dec_KD: Tensor, select: Select) -> AuxiliaryLoss:
    """How badly the dead latents reconstruct what the living ones leave over, as a share of its variance.

    error_BD: the reconstruction error, a constant here; dead_pre_BK: the pre-activations of the dead latents, zero for a
    living one among them. Each token uses its D / 2 largest, or all there are. 0, with no gradient, where the error has no
    variance. Source: Gao et al. 2024, as in dictionary_learning.
    """
    width, candidates = error_BD.shape[1], len(W_dec_KD)
    codes = select("top_k", dead_pre_BK, min(width // 2, candidates))
    left_over_BD = error_BD - codes.decode(W_dec_KD)
    share = (1 / (error_BD - error_BD.mean(0)).square().sum()).nan_to_num(posinf=0.0)
    return AuxiliaryLoss(left_over_BD.square().sum() * share, codes, left_over_BD * (-2 * share))


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


Curve = list[dict[str, float]]
CURVE_COLUMNS = ("step", *StepStatistics._fields)
LOWEST_EXPLAINED_VARIANCE = -10.0  # of a batch; below it at LOGGED_STEPS logged steps in a row a run has diverged
LOGGED_STEPS = 3


@dataclass
class Run:
    """One SAE in training. curve: a row for every so many steps, with what an interrupted job had of it."""

    name: str
    trainer: Trainer
    curve: Curve = field(default_factory=list)

    def check(self) -> None:
        """Raises UserError where the curve says that the run has diverged: a number that is not finite, or an absurd one.

        Absurd is an explained variance below LOWEST_EXPLAINED_VARIANCE at LOGGED_STEPS logged steps after the warm-up.
        """
        warm = [row for row in self.curve[-LOGGED_STEPS:] if row["step"] > self.trainer.options.warmup_steps]
        absurd = [row for row in warm if row["explained_variance"] < LOWEST_EXPLAINED_VARIANCE]
        last = self.curve[-1]
        if not all(math.isfinite(value) for value in last.values()) or len(absurd) == LOGGED_STEPS:
            raise UserError(
                f"training {self.name} diverged at step {last['step']:g} (loss {last['loss']:.3g}, explained variance of the "
                f"batch {last['explained_variance']:.3g}); lower training.learning_rate"
            )


def train(
    runs: Sequence[Run],
    batches: Iterable[Tensor],
    norm_factor: float,
    log_every: int,
    after_step: Callable[[], None] = lambda: None,
) -> None:
    """Feeds each raw activation batch (B, D) to the trainer of every run; each curve gets a row every `log_every` steps.

    The runs share the batches and nothing else: each ends as it would alone. The batches begin where the run of the fewest
    steps stands; one that is further, because its checkpoint is later, lets pass what it has seen.
    after_step: is called between two batches. Raises UserError where a run diverges, with its name and the step.
    """
    first_step = min(run.trainer.steps for run in runs)
    for step, batch_BD in enumerate(batches, first_step):
        x_BD = batch_BD.to(runs[0].trainer.b_dec_D) / norm_factor
        for run in runs:
            if run.trainer.steps == step:
                _train_step(run, x_BD, log_every)
        after_step()


def _train_step(run: Run, x_BD: Tensor, log_every: int) -> None:
    statistics = run.trainer.step(x_BD)
    steps = run.trainer.steps
    if steps % log_every == 0 or steps == run.trainer.total_steps:
        run.curve.append({"step": steps, **{name: value.item() for name, value in statistics._asdict().items()}})
        run.check()
        run.trainer.look_ahead(log_every)


def _unit_rows(rows_FD: Tensor) -> Tensor:
    return rows_FD / (rows_FD.norm(dim=1, keepdim=True) + torch.finfo(rows_FD.dtype).eps)
