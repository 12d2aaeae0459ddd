"""Core metrics: what the language model loses through an SAE, and what the SAE itself loses and how sparse it is.

Shape suffixes: C contexts, S sequences of a batch, L positions, N valid tokens, D model width, F latents, V vocabulary.

Source: SAEBench 0.6.0, `evals/core/main.py` (whose metric names are kept); paper section 4.1 and Table 1.
"""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.language_model.model import LanguageModel
from wta_sae.metrics.evaluation import Evaluation
from wta_sae.metrics.slices import slices
from wta_sae.metrics.token_pass import TokenBatch, measure_tokens
from wta_sae.sae.sae import SAE

SMALLEST_NORM = 1e-4  # SAEBench: shorter inputs count as length 1 in l2_ratio


def evaluate_core(
    lm: LanguageModel, saes: dict[str, SAE], tokens_CL: Tensor, batch_contexts: int = 16
) -> dict[str, Evaluation]:
    """`model_behaviour` and `reconstruction` together, in one pass over the tokens."""
    behaviour, reconstructed = measure_tokens(lm, saes, tokens_CL, batch_contexts, ModelBehaviour, Reconstruction)
    return {label: behaviour[label] | reconstructed[label] for label in saes}


def model_behaviour(
    lm: LanguageModel, saes: dict[str, SAE], tokens_CL: Tensor, batch_contexts: int = 16
) -> dict[str, Evaluation]:
    """Cross-entropy and KL divergence (nats a token) with the SAE's reconstruction in place of the residual stream.

    tokens_CL: contexts that start with BOS. SAE: y at valid positions, x at special ones. Ablation: x = 0 everywhere.
    Metrics: ce_loss_{without_sae,with_sae,with_ablation}, ce_loss_score, kl_div_{with_sae,with_ablation}, kl_div_score;
    each loss is one mean over all positions whose input token is valid.
    Source: SAEBench `get_downstream_reconstruction_metrics`. Differs: float64 sums, log-softmax instead of log of softmax.
    """
    return measure_tokens(lm, saes, tokens_CL, batch_contexts, ModelBehaviour)[0]


def reconstruction(
    lm: LanguageModel, saes: dict[str, SAE], tokens_CL: Tensor, batch_contexts: int = 16
) -> dict[str, Evaluation]:
    """Sparsity, reconstruction, shrinkage and densities over the valid tokens, streamed.

    Metrics under SAEBench's names: l0, l1, l2_norm_in, l2_norm_out, l2_ratio, relative_reconstruction_bias, cossim, mse (which
    depends on the batch size: the squared error by the batch's tokens), frac_alive, freq_over_{1,10}_percent,
    normalized_freq_over_{1,10}_percent. Ours: squared_error_per_token, and the three explained variances, named apart:
    explained_variance_saebench (its bug kept: uncentred in practice), explained_variance_legacy (token mean against the batch's
    mean activation), explained_variance (1 - MSE / Var(X), the paper's text, with the global mean).
    Per latent: feature_density (share of tokens), consistent_activation_heuristic (activations per context that has one, 0 for
    a dead latent).
    Source: SAEBench `get_sparsity_and_variance_metrics`, `calculate_misc_metrics`. Differs: float64 sums; a token with x = 0 or
    y = 0 has cossim 0 there, where SAEBench's mean would be NaN; batches without valid tokens are skipped.
    """
    return measure_tokens(lm, saes, tokens_CL, batch_contexts, Reconstruction)[0]


class ModelBehaviour:
    """What `model_behaviour` measures: the losses of the language model as it is, ablated, and with each SAE."""

    def __init__(self, lm: LanguageModel, saes: dict[str, SAE], length: int) -> None:
        self.lm = lm
        # Ablated, every context looks the same to the blocks above: one forward pass serves all.
        self.log_ablated_1LV = lm.logits_from(torch.zeros(1, length, lm.width, device=lm.device)).log_softmax(-1)
        self.clean, self.ablated = _Losses("as it is"), _Losses("with its activations set to zero")
        self.with_sae = {label: _Losses(f"with the SAE read out by {label!r}") for label in saes}

    def add(self, batch: TokenBatch) -> None:
        valid_SL1 = batch.valid_SL[..., None]
        for part in slices(len(batch.tokens_SL), self.log_ablated_1LV.numel(), self.lm.device):
            residual_SLD = batch.residual_SLD[part]
            truth = _Truth(batch.tokens_SL[part], batch.valid_SL[part], self.lm.logits_from(residual_SLD).log_softmax(-1))
            self.clean.add(truth, truth.log_clean_SLV)
            self.ablated.add(truth, self.log_ablated_1LV.expand_as(truth.log_clean_SLV))
            for label, losses in self.with_sae.items():
                patched_SLD = torch.where(valid_SL1[part], batch.output_SLD[label][part], residual_SLD)
                losses.add(truth, self.lm.logits_from(patched_SLD).log_softmax(-1))

    def evaluations(self) -> dict[str, Evaluation]:
        ce_clean, ce_ablated, kl_ablated = self.clean.ce, self.ablated.ce, self.ablated.kl
        return {
            label: Evaluation(
                {
                    "kl_div_score": _kept(kl_ablated, losses.kl, 0.0),
                    "kl_div_with_ablation": kl_ablated,
                    "kl_div_with_sae": losses.kl,
                    "ce_loss_score": _kept(ce_ablated, losses.ce, ce_clean),
                    "ce_loss_with_ablation": ce_ablated,
                    "ce_loss_with_sae": losses.ce,
                    "ce_loss_without_sae": ce_clean,
                }
            )
            for label, losses in self.with_sae.items()
        }


class _Truth:
    """What the losses of some sequences compare with: the next tokens and the clean model's distribution."""

    def __init__(self, tokens_SL: Tensor, valid_SL: Tensor, log_clean_SLV: Tensor) -> None:
        self.valid_SL = valid_SL
        self.next_SL1 = tokens_SL[:, 1:, None]
        self.log_clean_SLV = log_clean_SLV
        self.clean_SLV = log_clean_SLV.exp()


class _Losses:
    """Running means of the KL divergence from the clean model and of the cross-entropy of the next token.

    state: in which the language model is, for an error's line.
    """

    def __init__(self, state: str) -> None:
        self.state = state
        self.sums: dict[str, float | Tensor] = defaultdict(float)

    def add(self, truth: _Truth, log_other_SLV: Tensor) -> None:
        """Another distribution of the same sequences, where the input token is valid. Raises UserError for NaN in it."""
        predicting_SL = truth.valid_SL[:, :-1]
        cross_entropy_SL = -log_other_SLV[:, :-1].gather(-1, truth.next_SL1)[..., 0]
        difference_SLV = truth.log_clean_SLV - log_other_SLV
        divergence_SL = torch.linalg.vecdot(truth.clean_SLV, difference_SLV)
        ce, kl = cross_entropy_SL[predicting_SL].double().sum(), divergence_SL[truth.valid_SL].double().sum()
        if not torch.isfinite(ce + kl):
            raise UserError(f"the language model's logits are not finite {self.state}; they are beyond what float32 holds")
        self.sums["ce"] += ce
        self.sums["kl"] += kl
        self.sums["ce tokens"] += predicting_SL.sum()
        self.sums["kl tokens"] += truth.valid_SL.sum()

    @property
    def kl(self) -> float | None:
        return _ratio(float(self.sums["kl"]), int(self.sums["kl tokens"]))

    @property
    def ce(self) -> float | None:
        return _ratio(float(self.sums["ce"]), int(self.sums["ce tokens"]))


class Reconstruction:
    """What `reconstruction` measures: the activations themselves, and what each SAE makes of them."""

    def __init__(self, lm: LanguageModel, saes: dict[str, SAE], length: int) -> None:
        self.inputs = _Inputs(lm.width, lm.device)
        self.sums = {label: _ReconstructionSums() for label in saes}

    def add(self, batch: TokenBatch) -> None:
        x_ND = batch.residual_SLD[batch.valid_SL]
        self.inputs.add(x_ND)
        for label, sums in self.sums.items():
            sums.add_codes(batch.acts_SLF[label], batch.valid_SL)
            sums.add_output(x_ND, batch.output_SLD[label][batch.valid_SL])

    def evaluations(self) -> dict[str, Evaluation]:
        return {label: sums.evaluation(self.inputs) for label, sums in self.sums.items()}


class _Inputs:
    """Mean and squared deviations of the activations themselves, merged batch by batch (Chan et al. 1979)."""

    def __init__(self, width: int, device: torch.device) -> None:
        self.tokens = 0
        self.mean_D = torch.zeros(width, dtype=torch.float64, device=device)
        self.squared_deviations: float | Tensor = 0.0
        self.mean_squares: list[Tensor] = []  # of each batch: token mean of |x|^2

    def add(self, x_ND: Tensor) -> None:
        x_ND = x_ND.double()
        new, total = len(x_ND), self.tokens + len(x_ND)
        batch_mean_D = x_ND.mean(0)
        shift_D = batch_mean_D - self.mean_D
        self.squared_deviations += (x_ND - batch_mean_D).square().sum()
        self.squared_deviations += shift_D.square().sum() * (self.tokens * new / total)
        self.mean_D += shift_D * (new / total)
        self.mean_squares.append(x_ND.square().sum(-1).mean())
        self.tokens = total

    @property
    def saebench_variance(self) -> float:
        """SAEBench's "total variance": the square of the mean SQUARE is subtracted, where the mean's square is meant."""
        mean_square = torch.stack(self.mean_squares).mean()
        return float(mean_square - (mean_square / len(self.mean_D)) ** 2)


class _ReconstructionSums:
    """Running sums of one SAE's codes and reconstructions."""

    def __init__(self) -> None:
        # Each a tensor from the first batch on.
        self.sums: dict[str, Any] = defaultdict(float)  # float64, over tokens
        self.batch_sums: dict[str, Any] = defaultdict(float)  # float64, of the batches' means
        self.batches = 0

    def add_codes(self, acts_SLF: Tensor, valid_SL: Tensor) -> None:
        weights_S1L = valid_SL[:, None].to(acts_SLF.dtype)
        active_SF = torch.bmm(weights_S1L, acts_SLF.sign())[:, 0]  # whole numbers, exact in float32
        self.sums["activations_F"] += active_SF.double().sum(0)
        self.sums["active contexts_F"] += (active_SF > 0).double().sum(0)
        self.sums["l1"] += torch.bmm(weights_S1L, acts_SLF).double().sum()

    def add_output(self, x_ND: Tensor, y_ND: Tensor) -> None:
        error_N = (x_ND - y_ND).square().sum(-1).double()
        norm_in_N, norm_out_N = x_ND.norm(dim=-1).double(), y_ND.norm(dim=-1).double()
        dot_N = (x_ND * y_ND).sum(-1).double()
        norms_N = norm_in_N * norm_out_N
        deviation_N = (x_ND - x_ND.mean(0)).square().sum(-1).double()
        self.sums["error"] += error_N.sum()
        self.sums["mse"] += error_N.mean()  # the sum over the batch's tokens of error / tokens of the batch
        lone_N = deviation_N == 0  # the token is its batch's mean
        self.sums["tokens without deviation"] += lone_N.sum()
        self.sums["explained_variance_legacy"] += (1 - error_N / deviation_N)[~lone_N].sum()
        self.sums["l2_norm_in"] += norm_in_N.sum()
        self.sums["l2_norm_out"] += norm_out_N.sum()
        self.sums["l2_ratio"] += (norm_out_N / torch.where(norm_in_N < SMALLEST_NORM, 1, norm_in_N)).sum()
        self.sums["cossim"] += torch.where(norms_N > 0, dot_N / norms_N, 0).sum()
        self.batch_sums["error"] += error_N.mean()
        dot = dot_N.mean()
        self.batch_sums["batches without projection"] += dot == 0
        self.batch_sums["bias"] += torch.where(dot == 0, 0, norm_out_N.square().mean() / dot)
        self.batches += 1

    def evaluation(self, inputs: _Inputs) -> Evaluation:
        tokens = inputs.tokens
        activations_F, contexts_F = self.sums["activations_F"], self.sums["active contexts_F"]
        sums = {name: float(value) for name, value in self.sums.items() if not name.endswith("_F")}
        batch_means = {name: float(value) / self.batches for name, value in self.batch_sums.items()}
        names = ("mse", "cossim", "l2_norm_in", "l2_norm_out", "l2_ratio", "l1", "explained_variance_legacy")
        density_F = activations_F / tokens
        values = {name: sums[name] / tokens for name in names} | {
            "l0": float(activations_F.sum()) / tokens,
            "squared_error_per_token": sums["error"] / tokens,
            "relative_reconstruction_bias": None if batch_means["batches without projection"] else batch_means["bias"],
            "explained_variance": _explained(sums["error"], float(inputs.squared_deviations)),
            "explained_variance_saebench": _explained(batch_means["error"], inputs.saebench_variance),
        }
        if sums["tokens without deviation"]:
            values["explained_variance_legacy"] = None
        per_latent = {
            "feature_density": density_F.float(),
            "consistent_activation_heuristic": (activations_F / contexts_F.clamp(min=1)).float(),
        }
        return Evaluation(values | density_metrics(density_F), per_latent)


def density_metrics(density_F: Tensor) -> dict[str, float]:
    """Shares of latents that are alive, and of the often active ones.

    normalized_freq_over_*: their share of all activations, 0 where nothing is active. Source: SAEBench
    `calculate_misc_metrics`.
    """
    metrics = {"frac_alive": float((density_F > 0).double().mean())}
    total = float(density_F.sum())
    for percent in (1, 10):
        often_F = density_F > percent / 100
        metrics[f"freq_over_{percent}_percent"] = float(often_F.double().mean())
        metrics[f"normalized_freq_over_{percent}_percent"] = float(density_F[often_F].sum()) / total if total else 0.0
    return metrics


def _ratio(numerator: float, denominator: float) -> float | None:
    """None where the denominator is zero: undefined."""
    return numerator / denominator if denominator else None


def _explained(error: float, variance: float) -> float | None:
    share = _ratio(error, variance)
    return None if share is None else 1 - share


def _kept(ablated: float | None, with_sae: float | None, clean: float | None) -> float | None:
    """The share of what ablation costs that the SAE keeps."""
    if ablated is None or with_sae is None or clean is None:
        return None
    return _ratio(ablated - with_sae, ablated - clean)
