"""cfg.json of an SAELens directory, of version 6 and of those before it, read key by key.

A key that changes what encoding or decoding computes is honoured or refused by name. So is a key that is not known here: only
those listed below as harmless pass.

Source: SAELens 6.54.12, `handle_pre_6_0_config` and the `SAEConfig` classes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wta_sae.base.errors import UserError
from wta_sae.machine.files import read_json
from wta_sae.plan.sae_files import CONFIG_FILE

ARCHITECTURES = ("topk", "jumprelu", "standard")

# What the SAE was trained on and by whom. Before version 6 they stand at the top, since then under `metadata`.
DESCRIPTION = {
    *("model_name", "model_class_name", "model_from_pretrained_kwargs", "hook_name", "hook_layer", "hf_hook_name"),
    *("hook_head_index", "prepend_bos", "context_size", "seqpos_slice", "exclude_special_tokens", "dataset_path"),
    *("dataset_trust_remote_code", "sae_lens_version", "sae_lens_training_version", "neuronpedia_id"),
}
RENAMED = {"hook_point": "hook_name", "hook_point_layer": "hook_layer", "hook_point_head_index": "hook_head_index"}
# How it was trained: of no consequence once it is.
TRAINING = {
    *("l1_coefficient", "lp_norm", "l1_warm_up_steps", "use_ghost_grads", "mse_loss_normalization", "normalize_sae_decoder"),
    *("scale_sparsity_penalty_by_decoder_norm", "decoder_init_norm", "decoder_heuristic_init", "decoder_heuristic_init_norm"),
    *("init_encoder_as_decoder_transpose", "decoder_orthogonal_init", "b_dec_init_method", "expansion_factor", "seed"),
    *("jumprelu_init_threshold", "jumprelu_bandwidth", "jumprelu_sparsity_loss_mode", "l0_coefficient", "l0_warm_up_steps"),
    *("lr", "lr_end", "lr_scheduler_name", "lr_warm_up_steps", "lr_decay_steps", "adam_beta1", "adam_beta2"),
    *("train_batch_size", "train_batch_size_tokens", "training_tokens", "total_training_tokens", "store_batch_size"),
    *("store_batch_size_prompts", "n_batches_in_buffer", "tokens_per_buffer", "is_dataset_tokenized", "streaming"),
    *("use_cached_activations", "cached_activations_path", "from_pretrained_path", "feature_sampling_window"),
    *("feature_sampling_method", "resample_batches", "feature_reinit_scale", "dead_feature_window"),
    *("dead_feature_estimation_method", "dead_feature_threshold", "log_to_wandb", "wandb_project", "wandb_entity"),
    *("wandb_log_frequency", "wandb_id", "run_name", "n_checkpoints", "checkpoint_path", "verbose"),
}
HARMLESS = DESCRIPTION | TRAINING | {"dtype", "device", "metadata"}


@dataclass(frozen=True)
class SAELensConfig:
    """What cfg.json says of an SAE's function, and what it says of the SAE.

    k: of a topk SAE; rescale_by_decoder_norm: of it too. width, latents: None where they are not said. metadata: of version 6
    and before alike.
    """

    architecture: str
    subtract_b_dec: bool
    k: int | None
    rescale_by_decoder_norm: bool
    width: int | None
    latents: int | None
    metadata: dict[str, Any]


def read_saelens_config(directory: Path) -> SAELensConfig:
    """Raises UserError where cfg.json is absent or asks for what is not built here, naming the key."""
    path = Path(directory) / CONFIG_FILE
    content: Any = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("metadata", {}), dict):
        raise UserError(f"{path}: not the configuration of an SAE; give a directory in SAELens' format")
    keys: dict[str, Any] = {_present_name(key): value for key, value in content.items()}
    metadata: dict[str, Any] = {key: value for key, value in keys.items() if key in DESCRIPTION} | content.get("metadata", {})
    metadata = {_present_name(key): value for key, value in metadata.items()}
    architecture, k = _activation(path, keys)
    rescale = _flag(path, keys, "rescale_acts_by_decoder_norm", default=False)
    if rescale and architecture != "topk":
        raise UserError(f"{path}: rescale_acts_by_decoder_norm is true, which only a topk SAE can be read with")
    subtract_b_dec = _flag(path, keys, "apply_b_dec_to_input", default=True)
    nothing = ("none", None, False)  # as it was written over the years
    for key in ("normalize_activations", "reshape_activations"):
        if keys.pop(key, None) not in nothing:
            raise UserError(f"{path}: {key} is {content[key]!r}; only 'none' can be read")
    if "hook_z" in str(metadata.get("hook_name")) or metadata.get("hook_head_index") is not None:
        raise UserError(f"{path}: reads an attention head's output; only the residual stream can be read")
    if _flag(path, keys, "finetuning_scaling_factor", default=False):
        raise UserError(f"{path}: finetuning_scaling_factor is true; only an SAE without it can be read")
    width, latents = (keys.pop(key, None) for key in ("d_in", "d_sae"))
    if unknown := sorted(set(keys) - HARMLESS):
        raise UserError(
            f"{path}: the key {unknown[0]!r} ({keys[unknown[0]]!r}) is not known here; take it out if encoding and decoding do "
            "not depend on it"
        )
    return SAELensConfig(architecture, subtract_b_dec, k, rescale, width, latents, metadata)


def _present_name(key: str) -> str:
    return RENAMED.get(key, key)


def read_metadata(directory: Path) -> dict[str, Any]:
    """What `save_sae` was given as metadata. Raises UserError where the directory is not an SAE of ours."""
    path = Path(directory) / CONFIG_FILE
    metadata = read_json(path).get("metadata", {})
    if "variant" not in metadata:
        raise UserError(f"{path}: not an SAE that this package trained (its metadata names no variant)")
    return metadata


def _activation(path: Path, keys: dict[str, Any]) -> tuple[str, int | None]:
    """The architecture and, of topk, its k. Before version 6, topk is a standard SAE with another activation function."""
    architecture = keys.pop("architecture", "standard")
    if architecture not in ARCHITECTURES:
        raise UserError(f"{path}: architecture {architecture!r} is unknown; use one of: {', '.join(ARCHITECTURES)}")
    k, options = keys.pop("k", None), dict(keys.pop("activation_fn_kwargs", None) or {})
    key = "activation_fn" if "activation_fn" in keys else "activation_fn_str"
    function = keys.pop(key, None) or ("topk" if architecture == "topk" else "relu")
    if function == "topk" and architecture in ("standard", "topk"):
        architecture, k = "topk", options.pop("k", k)
    elif function != "relu" or architecture == "topk":
        raise UserError(f"{path}: {key} is {function!r}, which a {architecture} SAE cannot be read with")
    if options:
        raise UserError(f"{path}: activation_fn_kwargs has {', '.join(sorted(options))}; only the k of topk can be read")
    if architecture == "topk" and k is None:
        raise UserError(f"{path}: a topk SAE, but the key 'k' is missing")
    if k is not None and (architecture != "topk" or type(k) is not int or k < 1):
        raise UserError(f"{path}: k is {k!r} of a {architecture} SAE; only a topk SAE has one, a whole number from 1 on")
    return architecture, k


def _flag(path: Path, keys: dict[str, Any], key: str, default: bool) -> bool:
    value = keys.pop(key, None)
    if value not in (None, True, False):
        raise UserError(f"{path}: {key} is {value!r}; use true or false")
    return default if value is None else value
