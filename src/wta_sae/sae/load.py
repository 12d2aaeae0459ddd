"""Reads an SAE's directory, ours or one that SAELens wrote.

Shape suffixes: D model width, F latents.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.machine.tensor_files import read_tensors
from wta_sae.plan.sae_files import CONFIG_FILE, THRESHOLDS_FILE, WEIGHTS_FILE
from wta_sae.sae.sae import SAE, THRESHOLD_RULES
from wta_sae.sae.saelens_config import SAELensConfig, read_saelens_config
from wta_sae.sae.save import NATIVE_RULES, check_weight

RULES_OF = {"topk": ("topk", "matched_topk"), "jumprelu": THRESHOLD_RULES, "standard": ("relu",)}  # that it has a form for


def load_sae(directory: Path, inference: str | None = None, rate: float | None = None) -> SAE:
    """Reads an SAELens directory, one of ours or not, to be read out by `inference` (its own rule unless told).

    rate: the nominal one of the rule `released`, among those that the SAE was trained for; wanted where these are several.
    Raises UserError where the directory is not an SAE, asks for what is not built here (see `saelens_config`), holds
    tensors of the wrong names, shapes or values, or holds nothing for that rule or rate.
    """
    directory = Path(directory)
    config = read_saelens_config(directory)
    weights = _read_weights(directory, config)
    if config.rescale_by_decoder_norm:
        weights |= _with_unit_decoder_rows(weights["W_enc"], weights["b_enc"], weights["W_dec"])
    own_rule = config.metadata.get("inference", NATIVE_RULES[config.architecture])
    if own_rule not in RULES_OF[config.architecture]:
        possible = ", ".join(RULES_OF[config.architecture])
        raise UserError(
            f"{directory / CONFIG_FILE}: metadata.inference is {own_rule!r}, but architecture {config.architecture!r} has a "
            f"form for: {possible}"
        )
    thresholds = {own_rule: weights["threshold"]} if "threshold" in weights else {}
    thresholds |= read_thresholds(directory, latents=len(weights["W_dec"]))
    available = {own_rule, *thresholds} | ({"released"} if config.metadata.get("rates") else set())
    available |= {"matched_topk"} if "matched_l0" in config.metadata else set()
    inference = inference or own_rule
    if inference not in available:
        raise UserError(f"{directory}: no inference rule {inference!r}; this SAE has: {', '.join(sorted(available))}")
    return SAE(
        W_enc_DF=weights["W_enc"],
        b_enc_F=weights["b_enc"],
        W_dec_FD=weights["W_dec"],
        b_dec_D=weights["b_dec"],
        inference=inference,
        k=config.metadata["matched_l0"] if inference == "matched_topk" else config.k,
        threshold=thresholds.get(inference),
        rate=_rate_among(config.metadata["rates"], rate, directory) if inference == "released" else None,
        subtract_b_dec=config.subtract_b_dec,
    )


def _read_weights(directory: Path, config: SAELensConfig) -> dict[str, Tensor]:
    """The tensors that the architecture has, in float32, checked one by one."""
    file = directory / WEIGHTS_FILE
    weights = {name: tensor.float() for name, tensor in read_tensors(file)[0].items()}
    if (scale := weights.get("scaling_factor")) is not None and (scale == 1).all():
        del weights["scaling_factor"]  # SAELens once wrote it with every SAE
    wanted = {"W_enc", "b_enc", "W_dec", "b_dec"} | ({"threshold"} if config.architecture == "jumprelu" else set())
    if missing := sorted(wanted - set(weights)):
        raise UserError(f"{file}: lacks {', '.join(missing)}")
    if unknown := sorted(set(weights) - wanted):
        raise UserError(f"{file}: has {', '.join(unknown)}, which a {config.architecture} SAE does not have")
    if weights["W_enc"].ndim != 2:
        raise UserError(f"{file}: W_enc has the shape {list(weights['W_enc'].shape)}; (model width, latents) is wanted")
    width, latents = config.width or weights["W_enc"].shape[0], config.latents or weights["W_enc"].shape[1]
    shapes = {"W_enc": (width, latents), "W_dec": (latents, width), "b_dec": (width,), "b_enc": (latents,)}
    for name, tensor in weights.items():
        shape = shapes.get(name, (latents,))
        if tensor.shape != shape:
            raise UserError(
                f"{file}: {name} has the shape {list(tensor.shape)}; by {CONFIG_FILE} and W_enc it is {list(shape)}"
            )
        check_weight(file, name, tensor)
    if config.k is not None and config.k > latents:
        raise UserError(f"{directory / CONFIG_FILE}: k is {config.k}, but the SAE has {latents} latents")
    return weights


def read_thresholds(directory: Path, latents: int) -> dict[str, Tensor]:
    """Inference rule -> scalar or (F), of the rules beside the SAE's own; none of an SAE that has no such file."""
    file = Path(directory) / THRESHOLDS_FILE
    thresholds = read_tensors(file)[0] if file.exists() else {}
    for rule, threshold in thresholds.items():
        if rule not in THRESHOLD_RULES or threshold.shape not in ((), (latents,)):
            known = ", ".join(THRESHOLD_RULES)
            raise UserError(f"{file}: {rule} {list(threshold.shape)}; wants a number, or {latents}, for one of: {known}")
        check_weight(file, f"threshold of {rule}", threshold)
    return thresholds


def _rate_among(rates: Sequence[float], rate: float | None, directory: Path) -> float:
    if rate is None and len(rates) > 1:
        raise UserError(f"{directory}: trained for the rates {', '.join(f'{one:g}' for one in rates)}; name one of them")
    rate = rates[0] if rate is None else rate
    if rate not in rates:
        raise UserError(f"{directory}: not trained for the rate {rate:g}; use one of: {', '.join(f'{one:g}' for one in rates)}")
    return rate


def _with_unit_decoder_rows(W_enc_DF: Tensor, b_enc_F: Tensor, W_dec_FD: Tensor) -> dict[str, Tensor]:
    """The weights that do without SAELens' rescale_acts_by_decoder_norm: the norms move from the decoder to the encoder."""
    norm_F = W_dec_FD.norm(dim=1)
    return {"W_enc": W_enc_DF * norm_F, "b_enc": b_enc_F * norm_F, "W_dec": torch.nn.functional.normalize(W_dec_FD, dim=1)}
