"""What a config decides by itself is refused before anything runs."""

import json
from pathlib import Path

import pytest
import yaml

from wta_sae.base.errors import UserError
from wta_sae.plan.feasibility import check_feasible

ROOT = Path(__file__).parents[1]


def config(**changes):
    """config.yaml with some values changed: {"training.batch_tokens": 1}."""
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = default
        for part in sections:
            section = section[part]
        section[name] = value
    return default


def test_the_default_config_can_work():
    check_feasible(config())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training.batch_tokens": 2_000_001}, r"training\.batch_tokens: 2,000,001, but only 2,000,000 tokens are cached"),
        ({"training.threshold_start_step": 975}, r"training\.threshold_start_step: none of this run's 976 steps comes after"),
        ({"activations.tokens": 5_080_001}, r"activations\.tokens: 5,080,001 asked for, .* at most 5,080,000; lower the first"),
        ({"activations.shard_tokens": 2047}, r"shard_tokens: 2,047 is less than training\.batch_tokens, 2,048: .*; raise it"),
        ({"language_model.layer": 4}, r"language_model\.layer: 4 is beyond the model's 4 blocks; use 0 to 3"),
        ({"language_model.train.heads": 5}, r"language_model\.train\.heads: 5 does not divide the width, 128"),
        ({"language_model.train.batch_contexts": 40_001}, r"batch_contexts: 40001 is more than text\.train_contexts, 40000"),
    ],
)
def test_values_that_are_right_alone_and_impossible_together(changes, message):
    with pytest.raises(UserError, match=message):
        check_feasible(config(**changes))


def test_other_packings_hold_another_number_of_tokens():
    check_feasible(config(**{"activations.tokens": 5_100_000, "activations.prepend_bos": False}))
    check_feasible(config(**{"activations.tokens": 5_100_000, "activations.packing": "first"}))


def test_a_model_folder_wants_its_config_and_tokenizer(tmp_path):
    own = config(**{"language_model.source": "path", "language_model.path": str(tmp_path)})
    with pytest.raises(UserError, match=r"language_model.path: .* lacks config.json; give a transformers model directory"):
        check_feasible(own)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(UserError, match=r"lacks tokenizer\.json"):
        check_feasible(own)
    (tmp_path / "tokenizer.json").touch()
    with pytest.raises(UserError, match=r"config\.json is not a JSON object; save the model again"):
        check_feasible(own)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"num_hidden_layers": 2}, r"language_model\.layer: 2 is beyond the model's 2 blocks; use 0 to 1"),
        ({"max_position_embeddings": 64}, r"text\.context_length: 128 is beyond the 64 positions of .*; use 64 or less"),
    ],
)
def test_what_a_models_config_says_is_read_before_anything_runs(tmp_path, known, message):
    (tmp_path / "tokenizer.json").touch()
    own = config(**{"language_model.source": "path", "language_model.path": str(tmp_path)})
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))  # other names, which the model itself knows
    check_feasible(own)
    (tmp_path / "config.json").write_text(json.dumps(known))
    with pytest.raises(UserError, match=message):
        check_feasible(own)
