"""Keys of cfg.json: each that changes an SAE's function is honoured or refused by name, in version 6 and before it."""

import pytest
import torch

from test_sae import LATENTS, WIDTH, random_sae
from wta_sae.base.errors import UserError
from wta_sae.machine.files import read_json, write_json
from wta_sae.machine.tensor_files import read_tensors, write_tensors
from wta_sae.sae.load import load_sae
from wta_sae.sae.readouts import top_k
from wta_sae.sae.saelens_config import read_saelens_config
from wta_sae.sae.save import save_sae

OLD = {
    "architecture": "standard",
    "activation_fn_str": "relu",
    "activation_fn_kwargs": {},
    "apply_b_dec_to_input": True,
    "finetuning_scaling_factor": False,
    "normalize_activations": "none",
    "d_in": WIDTH,
    "d_sae": LATENTS,
    "dtype": "float32",
    "device": "cuda",
    "model_name": "gpt2-small",
    "hook_name": "blocks.3.hook_resid_post",
    "hook_layer": 3,
    "hook_head_index": None,
    "context_size": 128,
    "prepend_bos": True,
    "dataset_path": "openwebtext",
    "sae_lens_training_version": "3.1.0",
    "l1_coefficient": 8e-5,
}


@pytest.fixture
def old_sae(tmp_path):
    """Writes a directory of before version 6, and returns what reads it."""
    sae = random_sae("relu")

    def write(tensors=None, without=(), **keys):
        save_sae(tmp_path / "sae", sae, {}, {})
        weights, _ = read_tensors(tmp_path / "sae/sae_weights.safetensors")
        write_tensors(tmp_path / "sae/sae_weights.safetensors", weights | (tensors or {}))
        write_json(tmp_path / "sae/cfg.json", {key: value for key, value in (OLD | keys).items() if key not in without})
        return load_sae(tmp_path / "sae")

    return write


def test_an_old_sae_is_read_as_it_was_trained(old_sae, x_BD, tmp_path):
    sae = random_sae("relu")
    assert old_sae().encode(x_BD).equal(sae.encode(x_BD))
    assert read_saelens_config(tmp_path / "sae").metadata["hook_name"] == "blocks.3.hook_resid_post"
    assert not old_sae(apply_b_dec_to_input=False).subtract_b_dec
    assert old_sae(normalize_activations=False, without=["architecture", "activation_fn_str"]).inference == "relu"
    oldest = {"hook_point": "blocks.2.hook_resid_post", "hook_point_layer": 2, "use_ghost_grads": True}
    old_sae({"scaling_factor": torch.ones(LATENTS)}, without=["hook_name", "hook_layer"], **oldest)
    assert read_saelens_config(tmp_path / "sae").metadata["hook_name"] == "blocks.2.hook_resid_post"


@pytest.mark.parametrize("architecture", ["standard", "topk"])
@pytest.mark.parametrize("key", ["activation_fn_str", "activation_fn"])
def test_topk_was_once_an_activation_function(old_sae, x_BD, architecture, key):
    names = {"architecture": architecture, key: "topk", "activation_fn_kwargs": {"k": 5}}
    sae = old_sae(without=["activation_fn_str"] if key == "activation_fn" else [], **names)
    assert (sae.inference, sae.k) == ("topk", 5)
    assert sae.encode(x_BD).equal(top_k(random_sae("relu").pre_activations(x_BD), 5))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"activation_fn_str": "tanh-relu"}, "activation_fn_str is 'tanh-relu', which a standard SAE cannot be read with"),
        ({"architecture": "jumprelu", "activation_fn_str": "topk"}, "activation_fn_str is 'topk', which a jumprelu SAE cannot"),
        ({"activation_fn_kwargs": {"tau": 2}}, "activation_fn_kwargs has tau; only the k of topk can be read"),
        ({"activation_fn_str": "topk"}, "a topk SAE, but the key 'k' is missing"),
        ({"k": 5}, "k is 5 of a standard SAE; only a topk SAE has one"),
        ({"architecture": "topk", "k": 2.5, "activation_fn_str": "topk"}, "k is 2.5 of a topk SAE"),
        ({"architecture": "topk", "k": 21, "activation_fn_str": "topk"}, "k is 21, but the SAE has 20 latents"),
        ({"finetuning_scaling_factor": True}, "finetuning_scaling_factor is true"),
        ({"rescale_acts_by_decoder_norm": True}, "rescale_acts_by_decoder_norm is true, which only a topk SAE"),
        ({"normalize_activations": True}, "normalize_activations is True; only 'none' can be read"),
        ({"normalize_activations": "expected_average_only_in"}, "normalize_activations is 'expected_average_only_in'"),
        ({"hook_name": "blocks.3.attn.hook_z"}, "reads an attention head's output"),
        ({"hook_head_index": 2}, "reads an attention head's output"),
        ({"apply_b_dec_to_input": "yes"}, "apply_b_dec_to_input is 'yes'; use true or false"),
        ({"d_sae": 21}, r"W_dec has the shape \[20, 6\]|W_enc has the shape \[6, 20\]"),
        ({"noise_at_inference": 0.1}, r"the key 'noise_at_inference' \(0.1\) is not known here; take it out if encoding"),
        ({"metadata": [1]}, "not the configuration of an SAE"),
        ({"metadata": {"inference": "topk"}}, "metadata.inference is 'topk', but architecture 'standard' has a form for: relu"),
    ],
)
def test_what_changes_the_function_is_refused_by_name(old_sae, keys, message):
    with pytest.raises(UserError, match=message):
        old_sae(**keys)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"b_gate": torch.zeros(LATENTS)}, "has b_gate, which a standard SAE does not have"),
        ({"scaling_factor": torch.full((LATENTS,), 2.0)}, "has scaling_factor, which a standard SAE does not have"),
        ({"b_enc": torch.zeros(3)}, r"b_enc has the shape \[3\]; by cfg.json and W_enc it is \[20\]"),
        ({"W_dec": torch.zeros(WIDTH, LATENTS)}, r"W_dec has the shape \[6, 20\]; by cfg.json and W_enc it is \[20, 6\]"),
        ({"b_dec": torch.full((WIDTH,), torch.inf)}, "b_dec is not finite"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_name(old_sae, tensors, message):
    with pytest.raises(UserError, match=message):
        old_sae(tensors)


def test_a_threshold_may_be_infinite_and_not_nan(tmp_path):
    sae = random_sae("threshold")
    silent_F = torch.full((LATENTS,), torch.inf)
    save_sae(tmp_path / "sae", sae, {"threshold": sae.threshold, "per_latent": silent_F}, {})
    assert load_sae(tmp_path / "sae", "per_latent").encode(torch.randn(4, WIDTH)).count_nonzero() == 0
    write_tensors(tmp_path / "sae/thresholds.safetensors", {"per_latent": silent_F * torch.nan})
    with pytest.raises(UserError, match="threshold of per_latent is not finite"):
        load_sae(tmp_path / "sae", "per_latent")
    write_tensors(tmp_path / "sae/thresholds.safetensors", {"per_latent": torch.ones(3), "mine": torch.ones(())})
    with pytest.raises(UserError, match=r"mine \[\]; wants a number|per_latent \[3\]; wants a number, or 20"):
        load_sae(tmp_path / "sae", "per_latent")


def test_an_sae_that_is_not_finite_is_not_saved(tmp_path):
    sae = random_sae("relu")
    sae.W_dec_FD[2, 1] = torch.inf
    with pytest.raises(UserError, match="W_dec is not finite; train it again"):
        save_sae(tmp_path / "sae", sae, {}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def x_BD():
    return torch.randn(7, WIDTH, generator=torch.Generator().manual_seed(1))


def test_version_6_describes_under_metadata(tmp_path):
    save_sae(tmp_path / "sae", random_sae("topk"), {}, {"hook_name": "blocks.1.hook_resid_post", "variant": "topk"})
    config = read_saelens_config(tmp_path / "sae")
    assert (config.architecture, config.k, config.metadata["hook_name"]) == ("topk", 3, "blocks.1.hook_resid_post")
    assert read_json(tmp_path / "sae/cfg.json")["metadata"]["hook_name"] == "blocks.1.hook_resid_post"
