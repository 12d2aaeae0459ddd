"""Writes an SAE's directory: SAELens' format, with the thresholds of further inference rules beside it.

Shape suffixes: D model width, F latents.
"""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.base.given import given
from wta_sae.machine.files import replacing, write_json, write_text
from wta_sae.machine.tensor_files import write_tensors
from wta_sae.plan.sae_files import CONFIG_FILE, CURVE_FILE, PROVENANCE_FILE, THRESHOLDS_FILE, WEIGHTS_FILE
from wta_sae.sae.sae import SAE

SAELENS_VERSION = "6.54.12"  # the release whose format this is; SAELens wants to see one of 6.0.0 or later
NATIVE_RULES = {"topk": "topk", "jumprelu": "threshold", "standard": "relu"}  # by SAELens' architecture


def save_sae(
    directory: Path,
    sae: SAE,
    thresholds: dict[str, Tensor],
    metadata: dict[str, Any],
    curve: pd.DataFrame | None = None,
    provenance: dict[str, Any] | None = None,
) -> None:
    """Writes a directory that `sae_lens.SAE.load_from_disk` loads, and every rule's thresholds beside the weights.

    thresholds: inference rule -> scalar or (F). SAELens' format has room for one of them: that of `sae.inference`.
    metadata: what trained the SAE; keys as in SAELens where it has them (model_name, hook_name, ...).
    curve, provenance: where the SAE comes from training, a row a logged step, and `wta_sae.machine.provenance`.
    Raises UserError for the rule `released`, since what depends on the batch has no form there, and for weights that are not
    finite.
    """
    if sae.inference == "released":
        raise UserError(f"{directory}: SAELens' format cannot express the inference rule 'released'; save another of its rules")
    architectures = {rule: architecture for architecture, rule in NATIVE_RULES.items()} | {"matched_topk": "topk"}
    width, latents = sae.W_enc_DF.shape
    weights = {"W_enc": sae.W_enc_DF, "b_enc": sae.b_enc_F, "W_dec": sae.W_dec_FD, "b_dec": sae.b_dec_D}
    config = {
        "architecture": architectures.get(sae.inference, "jumprelu"),
        "d_in": width,
        "d_sae": latents,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": sae.subtract_b_dec,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {**metadata, "sae_lens_version": SAELENS_VERSION, "inference": sae.inference},
    }
    if config["architecture"] == "topk":
        config |= {"k": sae.k, "rescale_acts_by_decoder_norm": False}
    elif config["architecture"] == "jumprelu":
        weights["threshold"] = given(sae.threshold, "the SAE's threshold").expand(latents)
    for name, tensor in weights.items():
        check_weight(directory, name, tensor)
    for rule, threshold in thresholds.items():
        check_weight(directory, f"threshold of {rule}", threshold)
    with replacing(directory) as temporary:
        write_json(temporary / CONFIG_FILE, config)
        write_tensors(temporary / WEIGHTS_FILE, {name: tensor.float() for name, tensor in weights.items()})
        if thresholds:  # safetensors cannot read an empty file back
            write_tensors(temporary / THRESHOLDS_FILE, {rule: value.float() for rule, value in thresholds.items()})
        if curve is not None:
            write_text(temporary / CURVE_FILE, curve.to_csv(index=False))
        if provenance is not None:
            write_json(temporary / PROVENANCE_FILE, provenance)


def check_weight(where: Path | str, name: str, tensor: Tensor) -> None:
    """Raises UserError unless the tensor is finite; a threshold may be infinite: its latent stays silent."""
    sound = ~tensor.isnan() & (tensor != -torch.inf) if "threshold" in name else tensor.isfinite()
    if not sound.all():
        raise UserError(f"{where}: {name} is not finite; train it again (with a lower learning rate)")
