"""What an SAE says of where it was trained, held against where it is used.

Shape suffixes: C contexts, L positions.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from wta_sae.base.errors import UserError
from wta_sae.language_model.hook import Hook
from wta_sae.sae.differences import Differences
from wta_sae.sae.sae import SAE


def model_differences(metadata: Mapping[str, Any], hook: Hook) -> Differences:
    """In the hook and the model, which make another function of the SAE; what the metadata does not say is not held against.

    metadata: of the SAE. hook_resid_pre of a block is hook_resid_post of the one before it. model_sha256 is the model's
    digest, which our SAEs record. center_writing_weights, an option of TransformerLens, moves the residual stream.
    """
    same_place = (hook.name, f"blocks.{hook.layer + 1}.hook_resid_pre")
    options = metadata.get("model_from_pretrained_kwargs") or {}
    here = {
        "hook_name": hook.name,
        "model_sha256": hook.model_sha256 if "model_sha256" in metadata else None,
        "center_writing_weights": False,
    }
    trained = {
        "hook_name": hook.name if metadata.get("hook_name") in (None, *same_place) else metadata["hook_name"],
        "model_sha256": metadata.get("model_sha256"),
        "center_writing_weights": bool(options.get("center_writing_weights", False)),
    }
    return _differences(trained, here)


def context_differences(metadata: Mapping[str, Any], hook: Hook, context_size: int, prepend_bos: bool) -> Differences:
    """In the contexts, which an SAE may be tried on on purpose; and in the model's name where no digest tells the model."""
    here: dict[str, Any] = {"context_size": context_size, "prepend_bos": prepend_bos, "model_name": hook.model}
    trained = {key: here[key] if metadata.get(key) is None else metadata[key] for key in here}
    same_name = _last_part(trained["model_name"]) == _last_part(hook.model)
    if same_name or "model_sha256" in metadata:
        trained["model_name"] = hook.model
    return _differences(trained, here)


def _check_model(directory: Path, metadata: Mapping[str, Any], hook: Hook, allow: bool) -> Differences:
    """`model_differences` where they are allowed, else UserError names the first of them."""
    found = model_differences(metadata, hook)
    if found and not allow:
        key, difference = next(iter(found.items()))
        raise UserError(
            f"{directory}: trained at {key} {difference['trained']}, but used at {difference['here']} ({hook.model}); use it "
            "where it was trained, or allow it with --allow-mismatch"
        )
    return found


def check_saes(width: int, saes: Mapping[str, SAE]) -> None:
    """Raises UserError where there is no SAE, or one that reads activations of another width."""
    if not saes:
        raise UserError("saes: none given; name at least one SAE to evaluate")
    for label, sae in saes.items():
        if sae.W_enc_DF.shape[0] != width:
            raise UserError(
                f"sae {label!r}: reads activations of width {sae.W_enc_DF.shape[0]}, the language model's are "
                f"{width} wide; use the model that the SAE was trained on"
            )
        if not all(w.isfinite().all() for w in (sae.W_enc_DF, sae.b_enc_F, sae.W_dec_FD, sae.b_dec_D)):
            raise UserError(f"sae {label!r}: weights that are not finite; train it again (with a lower learning rate)")


def _warn_of(directory: Path, differences: Differences) -> None:
    for key, difference in differences.items():
        print(f"{directory}: trained at {key} {difference['trained']}, used at {difference['here']}", file=sys.stderr)


def checked_differences(
    directory: Path, metadata: Mapping[str, Any], hook: Hook, context_size: int, prepend_bos: bool, allow: bool
) -> Differences:
    """In all that an SAE was trained at otherwise than it is used here, told on stderr.

    Raises UserError where it was trained at another hook or model, unless that is allowed.
    """
    differences = _check_model(directory, metadata, hook, allow) | context_differences(
        metadata, hook, context_size, prepend_bos
    )
    _warn_of(directory, differences)
    return differences


def starts_with_bos(bos_id: int, tokens_CL: Tensor) -> bool:
    """Whether every context does."""
    return bool((tokens_CL[:, 0] == bos_id).all())


def _differences(trained: Mapping[str, Any], here: Mapping[str, Any]) -> Differences:
    return {key: {"trained": trained[key], "here": here[key]} for key in here if trained[key] != here[key]}


def _last_part(name: str) -> str:
    return str(name).rstrip("/").rsplit("/", 1)[-1].lower()
