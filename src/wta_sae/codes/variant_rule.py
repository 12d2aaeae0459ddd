"""What training asks of a variant's rule, and what it gives one that says no more than it must.

Two kinds: a `SelectionRule` picks the active latents of a batch, and all gradients follow; a `LossRule` writes its loss for
autograd, with parameters of its own where it wants them.

Shape suffixes: B tokens of a batch, D model width, F latents.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from wta_sae.codes.active_pairs import ActivePairs, pairs_of
from wta_sae.codes.codes import CodeGradients, Codes
from wta_sae.codes.dense_codes import DenseCodes
from wta_sae.sae.sae import SAE


class TrainingSizes(NamedTuple):
    """What a rule may want to know of its training. threshold_start_step: the inference thresholds begin after it."""

    latents: int
    batch_tokens: int
    steps: int
    threshold_start_step: int


class Moment(NamedTuple):
    """Where training stands before a step.

    step: counted from 0. threshold: the global one, 0-dimensional; NaN: not yet. silent_tokens_F: those since each latent was
    last active.
    """

    step: int
    threshold: Tensor
    silent_tokens_F: Tensor


class Encoded(NamedTuple):
    """A batch at the encoder, in normalised activations.

    centred_BD: x - b_dec, what the SAE reads and has to give back; pre_BF: the pre-activations, before the ReLU.
    """

    centred_BD: Tensor
    pre_BF: Tensor
    W_dec_FD: Tensor


class Fit(NamedTuple):
    """How a batch's codes fit it.

    squared_error: mean over tokens of the squared error summed over D; loss: with what the rule adds to it. error_BD: what is
    to be given back less what is. gradient: of the loss by the SAE's parameters, but for b_dec; output_gradient_BD: by what
    the SAE gives back; own: by the rule's own parameters.
    """

    codes: Codes
    error_BD: Tensor
    squared_error: Tensor
    loss: Tensor
    gradient: CodeGradients
    output_gradient_BD: Tensor
    own: tuple[Tensor, ...] = ()


class Residual(NamedTuple):
    """What codes leave over. The fields are as in `Fit`, and the gradient is of the squared error alone."""

    error_BD: Tensor
    squared_error: Tensor
    output_gradient_BD: Tensor


def residual(encoded: Encoded, codes: Codes) -> Residual:
    """Of a batch that is decoded from its codes."""
    tokens = len(encoded.centred_BD)
    error_BD = encoded.centred_BD - codes.decode(encoded.W_dec_FD)
    return Residual(error_BD, error_BD.square().sum() / tokens, error_BD * (-2 / tokens))


class VariantRule(ABC):
    """One SAE's rule in training.

    k: active latents a token, or winners a latent where the variant's budget is `rates`. options: the variant's own, of its
    spec. state: tensors that the rule keeps from step to step, and parameters: those that Adam trains for it beside the
    SAE's; checkpoints have both.

    latents_first: whether the rule reads a latent's tokens, rather than a token's latents, as neighbours in memory.
    auxiliary_loss: whether dead latents are revived by an auxiliary loss. adam_betas: Adam's, for all parameters. inference:
    the rule by which a trained SAE is read out, the first of its spec's readouts. shared_threshold: the name of the threshold
    for all latents among those saved.
    """

    latents_first: ClassVar[bool] = False
    auxiliary_loss: ClassVar[bool] = True
    adam_betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    inference: ClassVar[str] = "per_latent"
    shared_threshold: ClassVar[str] = "threshold"

    def __init__(self, k: int, options: Any, sizes: TrainingSizes, device: torch.device):
        self.k, self.options, self.sizes, self.device = k, options, sizes, device
        self.state: dict[str, Tensor] = {name: value.to(device) for name, value in self.initial_state().items()}
        parameters = self.initial_parameters().items()
        self.parameters = {name: value.to(device).requires_grad_() for name, value in parameters}

    def initial_state(self) -> dict[str, Tensor]:
        """On the CPU, as `initial_parameters`; the rule's device has both."""
        return {}

    def initial_parameters(self) -> dict[str, Tensor]:
        """In units of normalised activations."""
        return {}

    @abstractmethod
    def fit(self, encoded: Encoded, moment: Moment) -> Fit:
        """One batch's codes, and the gradients of its loss."""

    def follow(self, encoded: Encoded, moment: Moment) -> None:  # noqa: B027 - most rules keep nothing
        """Moves `state` on after a batch."""

    def shared_threshold_start(self) -> int:
        """The step after which the threshold for all latents is followed."""
        return self.sizes.threshold_start_step

    def batch_threshold(self, codes: Codes, smallest_F: Tensor) -> Tensor:
        """What that threshold averages over batches: the smallest active value. Not finite where nothing is active.

        smallest_F: what `codes.smallest_of_latents` gave.
        """
        return smallest_F.amin()

    def thresholds(self, shared: Tensor, per_latent_F: Tensor) -> dict[str, Tensor]:
        """The thresholds that are saved, by inference rule, in units of normalised activations.

        shared, per_latent_F: the moving averages that training followed; infinite for what never won.
        """
        return {self.shared_threshold: shared, "per_latent": per_latent_F}

    def rescaled(self, sae: SAE, norm_factor: float) -> SAE:
        """The SAE of raw activations."""
        return sae.rescaled(norm_factor)


class SelectionRule(VariantRule):
    """Picks a batch's active latents; the choice is a constant to the gradient.

    `select` is all that a variant has to say. Its forms `select_pairs`, for a CPU, and `select_dense`, for a GPU, are for
    speed: of ties at a cut that leaves a choice they take the first in order of token and latent.
    """

    def __init__(self, k: int, options: Any, sizes: TrainingSizes, device: torch.device):
        super().__init__(k, options, sizes, device)
        self.form = self.select_pairs if device.type == "cpu" else self.select_dense

    @abstractmethod
    def select(self, pre_BF: Tensor, moment: Moment) -> Tensor:
        """Pre-activations after the ReLU, (B, F), with the losers set to zero. Changes nothing that it is given."""

    def select_pairs(self, pre_BF: Tensor, moment: Moment) -> ActivePairs:
        """`select` as active pairs, of pre-activations before the ReLU; may overwrite them if no auxiliary loss reads them."""
        return pairs_of(self.select(pre_BF.relu(), moment))

    def select_dense(self, pre_BF: Tensor, moment: Moment) -> DenseCodes:
        """`select` as dense codes, as `select_pairs`."""
        return DenseCodes(self.select(pre_BF.relu(), moment))

    def fit(self, encoded: Encoded, moment: Moment) -> Fit:
        centred_BD, pre_BF, W_dec_FD = encoded
        codes = self.form(pre_BF, moment)
        error_BD, squared, output_gradient_BD = residual(encoded, codes)
        gradient = codes.gradients(output_gradient_BD, centred_BD, W_dec_FD)
        return Fit(codes, error_BD, squared, squared, gradient, output_gradient_BD)


class Loss(NamedTuple):
    """What a LossRule makes of a batch. value: 0-dimensional, of which autograd takes the gradients; acts_BF: the codes."""

    value: Tensor
    acts_BF: Tensor


class LossRule(VariantRule):
    """Writes its loss in full; autograd does the rest.

    `loss` is all that a variant has to say. Its form `fit_pairs`, for a CPU, is for speed: the same gradients, worked out
    by hand for active pairs.
    """

    def __init__(self, k: int, options: Any, sizes: TrainingSizes, device: torch.device):
        super().__init__(k, options, sizes, device)
        self.form = self.fit_pairs if device.type == "cpu" else self.fit_dense

    @abstractmethod
    def loss(self, encoded: Encoded, moment: Moment) -> Loss:
        """To be differentiated by all that `encoded` holds, and by `parameters`. See `squared_error`."""

    def fit(self, encoded: Encoded, moment: Moment) -> Fit:
        return self.form(encoded, moment)

    def fit_pairs(self, encoded: Encoded, moment: Moment) -> Fit:
        """As `fit_dense`."""
        return self.fit_dense(encoded, moment)

    def fit_dense(self, encoded: Encoded, moment: Moment) -> Fit:
        """`loss` and its gradients by autograd."""
        # The encoder's input is another place than what is to be given back: the trainer adds both up for b_dec.
        leaves = [tensor.detach().requires_grad_() for tensor in encoded]
        own = self.parameters.values()
        with torch.enable_grad():
            value, acts_BF = self.loss(Encoded(*leaves), moment)
            found = torch.autograd.grad(value, [*leaves, *own], materialize_grads=True)
        target_gradient_BD, pre_gradient_BF, W_dec_gradient_FD, *own_gradients = found
        gradient = CodeGradients(pre_gradient_BF.T @ encoded.centred_BD, pre_gradient_BF.sum(0), W_dec_gradient_FD)
        codes = DenseCodes(acts_BF.detach())
        error_BD, squared, _ = residual(encoded, codes)
        return Fit(codes, error_BD, squared, value.detach(), gradient, -target_gradient_BD, tuple(own_gradients))


def squared_error(encoded: Encoded, acts_BF: Tensor) -> Tensor:
    """What every SAE is trained for: the mean over tokens of the squared error summed over D."""
    return (encoded.centred_BD - acts_BF @ encoded.W_dec_FD).square().sum() / len(acts_BF)
