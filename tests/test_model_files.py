"""A model that is not whole, or names what is not a safetensors file of its own, is refused by name."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GPTNeoXConfig

from conftest import FAMILIES
from wta_sae.base.errors import UserError
from wta_sae.language_model.model import load_language_model

CPU = torch.device("cpu")


@pytest.fixture
def model(neox_directory, tmp_path):
    shutil.copytree(neox_directory, tmp_path / "model")
    return tmp_path / "model"


def change_weights(directory, change):
    weights = load_file(directory / "model.safetensors")
    change(weights)
    save_file(weights, directory / "model.safetensors", {"format": "pt"})


def change_config(directory, **values):
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def write_index(directory, files):
    """An index in place of the one file, which becomes its first shard."""
    weights = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").rename(directory / "shard-1.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, "shard-1.safetensors") | files}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))


def refusal(directory):
    with pytest.raises(UserError) as caught:
        load_language_model(directory, 1, CPU)
    assert "\n" not in str(caught.value)
    return str(caught.value)


BIAS = "gpt_neox.layers.2.mlp.dense_4h_to_h.bias"


def test_missing_tensors_are_named(model):
    change_weights(model, lambda weights: weights.pop(BIAS))
    assert f"the weights lack {BIAS}; fetch or save the model again" in refusal(model)


def test_many_missing_tensors_are_counted(model):
    change_weights(model, lambda weights: [weights.pop(name) for name in list(weights) if "layers.0" in name])
    assert " and " in refusal(model) and refusal(model).endswith("more; fetch or save the model again")


def test_unknown_and_misshapen_tensors_are_named(model):
    change_weights(model, lambda weights: weights.update(extra=torch.zeros(2)))
    assert "weights that the model of config.json does not have: extra" in refusal(model)
    change_weights(model, lambda weights: (weights.pop("extra"), weights.update({BIAS: torch.zeros(7)})))
    assert f"weights of another shape than config.json's: {BIAS} (7 for 16)" in refusal(model)


def test_tensors_that_are_not_finite_are_named(model):
    change_weights(model, lambda weights: weights[BIAS].fill_(torch.nan))
    assert f"weights that are not finite: {BIAS}" in refusal(model)


def test_tied_weights_need_no_tensor_of_their_own(model, tokens_CL):
    config = GPTNeoXConfig(**FAMILIES["gpt_neox"].to_diff_dict() | {"tie_word_embeddings": True})
    tied = AutoModelForCausalLM.from_config(config).eval()
    tied.save_pretrained(model)
    assert "embed_out.weight" not in load_file(model / "model.safetensors")
    lm = load_language_model(model, 1, CPU)
    torch.testing.assert_close(lm.logits(tokens_CL), tied(tokens_CL).logits)


@pytest.mark.parametrize("name", ["weights.bin", "../model/shard-1.safetensors", "/etc/shard.safetensors", 7])
def test_an_index_names_safetensors_files_of_the_folder_alone(model, name):
    write_index(model, {BIAS: name})
    assert refusal(model).endswith(f"names the weights {name!r}; only safetensors files inside the folder are read")


def test_an_index_is_followed_where_all_is_there(model, neox_directory, tokens_CL):
    write_index(model, {})
    whole, sharded = (load_language_model(folder, 1, CPU).logits(tokens_CL) for folder in (neox_directory, model))
    assert whole.equal(sharded)


def test_a_shard_that_is_not_there_is_named(model):
    write_index(model, {BIAS: "shard-2.safetensors"})
    assert "shard-2.safetensors: no such file, though model.safetensors.index.json names it" in refusal(model)
    (model / "model.safetensors.index.json").write_text("{}")
    assert "index.json: no weight_map" in refusal(model)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "adapter_model.bin", "../x.safetensors"])
def test_config_json_names_safetensors_files_of_the_folder_alone(model, name):
    change_config(model, transformers_weights=name)
    assert f"names the weights {name!r}; only safetensors" in refusal(model)


def test_an_adapter_is_no_model(model):
    (model / "adapter_config.json").write_text("{}")
    assert "an adapter to another model" in refusal(model)


def test_activations_beyond_float32_are_named(lm, tokens_CL):
    lm.model.gpt_neox.layers[1].mlp.dense_4h_to_h.weight.data.fill_(3e38)
    lm.model.gpt_neox.layers[1].mlp.dense_4h_to_h.bias.data.fill_(3e38)
    with pytest.raises(
        UserError, match=r"residual stream at blocks.1.hook_resid_post is not finite at position \d+ of sequence"
    ):
        lm.residual(tokens_CL)
