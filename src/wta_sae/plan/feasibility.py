"""Whether a run can work at all, as far as its config alone decides. Free of torch: the Snakefile asks before anything runs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wta_sae.base.errors import UserError
from wta_sae.plan.model_limits import check_heads, check_layer, check_positions
from wta_sae.plan.schedule import check_threshold_start, steps_of


def check_feasible(config: Mapping[str, Any]) -> None:
    """Raises UserError, naming the keys, for values that each are right alone and together make some job fail."""
    text, training, activations = config["text"], config["training"], config["activations"]
    tokens, packing = activations["tokens"], activations["packing"]
    steps = steps_of(tokens, training["epochs"], training["batch_tokens"])
    check_threshold_start(training["threshold_start_step"], steps)
    most = text["train_contexts"] * (text["context_length"] - activations["prepend_bos"])
    if packing == "concatenated" and tokens > most:
        raise UserError(
            f"config: activations.tokens: {tokens:,} asked for, but text.train_contexts and text.context_length give at most "
            f"{most:,}; lower the first or raise the second"
        )
    if activations["shard_tokens"] < training["batch_tokens"]:
        raise UserError(
            f"config: activations.shard_tokens: {activations['shard_tokens']:,} is less than training.batch_tokens, "
            f"{training['batch_tokens']:,}: tokens are mixed within a shard, and batches would be of neighbours; raise it"
        )
    if config["language_model"]["source"] == "train":
        _check_trained_model(config["language_model"], text)
    elif config["language_model"]["source"] == "path":
        _check_given_model(config["language_model"], text)


def _check_trained_model(language_model: Mapping[str, Any], text: Mapping[str, Any]) -> None:
    options = language_model["train"]
    check_layer(language_model["layer"], options["blocks"])
    check_heads(options["width"], options["heads"])
    if options["batch_contexts"] > text["train_contexts"]:
        raise UserError(
            f"language_model.train.batch_contexts: {options['batch_contexts']} is more than text.train_contexts, "
            f"{text['train_contexts']}; lower it"
        )


def _check_given_model(language_model: Mapping[str, Any], text: Mapping[str, Any]) -> None:
    """What the config.json of a model's folder says by itself; the rest is tried out by check-language-model."""
    folder = Path(language_model["path"])
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise UserError(f"language_model.path: {folder} lacks {name}; give a transformers model directory")
    try:
        known = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        blocks, longest = known.get("num_hidden_layers"), known.get("max_position_embeddings")
    except (ValueError, AttributeError) as error:
        raise UserError(f"language_model.path: {folder}/config.json is not a JSON object; save the model again") from error
    if isinstance(blocks, int):
        check_layer(language_model["layer"], blocks)
    if isinstance(longest, int):
        check_positions(text["context_length"], longest, str(folder))
