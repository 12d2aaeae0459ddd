import dataclasses

import pandas as pd
import pytest
import torch

from wta_sae.base.errors import UserError
from wta_sae.machine.files import read_json, write_json
from wta_sae.sae.load import load_sae
from wta_sae.sae.readouts import top_k
from wta_sae.sae.sae import SAE, encode_with_each
from wta_sae.sae.saelens_config import read_metadata
from wta_sae.sae.save import save_sae

WIDTH, LATENTS = 6, 20
CURVE = pd.DataFrame([{"step": 1, "loss": 0.5}])


def random_sae(inference):
    generator = torch.Generator().manual_seed(0)
    return SAE(
        W_enc_DF=torch.randn(WIDTH, LATENTS, generator=generator),
        b_enc_F=torch.randn(LATENTS, generator=generator),
        W_dec_FD=torch.randn(LATENTS, WIDTH, generator=generator),
        b_dec_D=torch.randn(WIDTH, generator=generator),
        inference=inference,
        k=3 if inference == "topk" else None,
        threshold={"per_latent": torch.rand(LATENTS, generator=generator), "topk": None, "released": None}.get(
            inference, torch.tensor(0.7)
        ),
        rate=0.1,
    )


@pytest.fixture
def x_SLD():
    return torch.randn(3, 5, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("inference", ["topk", "threshold", "described", "per_latent", "released", "relu"])
def test_rescaling_scales_codes_and_reconstructions(inference, x_SLD):
    sae = random_sae(inference)
    scaled = sae.rescaled(7.0)
    acts_SLF = sae.encode(x_SLD)
    torch.testing.assert_close(scaled.encode(7 * x_SLD), 7 * acts_SLF, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scaled.decode(7 * acts_SLF), 7 * sae.decode(acts_SLF), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("inference", ["topk", "threshold", "per_latent", "relu"])
def test_a_token_is_encoded_alike_in_every_batch(inference, x_SLD):
    sae = random_sae(inference)
    alone = torch.stack([sae.encode(token_D) for token_D in x_SLD.flatten(0, 1)]).view(3, 5, LATENTS)
    torch.testing.assert_close(sae.encode(x_SLD), alone, rtol=1e-5, atol=1e-6)


def test_released_depends_on_the_sequences_beside_it(x_SLD):
    sae = dataclasses.replace(random_sae("released"), rate=1.0)
    assert not torch.equal(sae.encode(x_SLD)[:1], sae.encode(x_SLD[:1]))


def test_encode_by_hand():
    sae = SAE(
        W_enc_DF=torch.tensor([[1.0, 0.0], [0.0, 2.0]]),
        b_enc_F=torch.tensor([0.0, -1.0]),
        W_dec_FD=torch.eye(2),
        b_dec_D=torch.tensor([1.0, 0.0]),
        inference="threshold",
        threshold=torch.tensor(2.0),
    )
    x_BD = torch.tensor([[4.0, 1.0], [3.0, 2.0]])
    assert sae.pre_activations(x_BD).tolist() == [[3, 1], [2, 3]]
    assert sae.encode(x_BD).tolist() == [[3, 0], [0, 3]]
    assert sae.decode(sae.encode(x_BD)).tolist() == [[4, 0], [1, 3]]
    assert dataclasses.replace(sae, subtract_b_dec=False).pre_activations(x_BD).tolist() == [[4, 1], [3, 3]]


def test_a_misspelt_rule_is_refused(x_SLD):
    with pytest.raises(ValueError, match="no inference rule 'per_latnet'; use one of: topk, "):
        random_sae("per_latnet").encode(x_SLD)


def test_rules_that_share_an_encoder_share_the_pre_activations(x_SLD, monkeypatch):
    described = random_sae("described")
    others = {
        "released": dataclasses.replace(described, inference="released"),
        "relu": dataclasses.replace(described, inference="relu"),
        "uncentred": dataclasses.replace(described, subtract_b_dec=False),
        "another": random_sae("topk"),
    }
    saes = {"described": described, **others}
    expected = {label: sae.encode(x_SLD) for label, sae in saes.items()}
    pre_activations, computed = SAE.pre_activations, []
    monkeypatch.setattr(SAE, "pre_activations", lambda sae, x: computed.append(sae) or pre_activations(sae, x))
    found = dict(encode_with_each(saes, x_SLD))
    assert list(found) == list(saes)
    for label in saes:
        assert torch.equal(found[label], expected[label]), label
    assert len(computed) == 3  # the first three share theirs


def test_a_wta_directory_holds_every_rule(tmp_path, x_SLD):
    sae = random_sae("described")
    per_latent_F = torch.rand(LATENTS)
    thresholds = {"described": sae.threshold, "per_latent": per_latent_F}
    save_sae(tmp_path / "sae", sae, thresholds, {"rates": [0.01, 0.1]}, CURVE)
    described, per_latent = (load_sae(tmp_path / "sae", rule) for rule in ("described", "per_latent"))
    assert torch.equal(described.encode(x_SLD), sae.encode(x_SLD))
    assert torch.equal(per_latent.threshold, per_latent_F)
    assert load_sae(tmp_path / "sae", "released", rate=0.1).rate == 0.1
    with pytest.raises(UserError, match=r"trained for the rates 0.01, 0.1; name one of them"):
        load_sae(tmp_path / "sae", "released")
    with pytest.raises(UserError, match=r"not trained for the rate 0.2; use one of: 0.01, 0.1"):
        load_sae(tmp_path / "sae", "released", rate=0.2)
    assert load_sae(tmp_path / "sae").inference == "described"
    with pytest.raises(UserError, match=r"no inference rule 'topk'; this SAE has: described, per_latent, released"):
        load_sae(tmp_path / "sae", "topk")


def test_the_directory_is_as_saelens_wants_it(tmp_path):
    save_sae(tmp_path / "topk", random_sae("topk"), {"threshold": torch.tensor(1.0)}, {}, CURVE)
    config = read_json(tmp_path / "topk" / "cfg.json")
    assert config["architecture"] == "topk"
    assert config["k"] == 3
    assert config["apply_b_dec_to_input"] is True
    save_sae(tmp_path / "jump", random_sae("threshold"), {"threshold": torch.tensor(0.7)}, {}, CURVE)
    assert read_json(tmp_path / "jump" / "cfg.json")["architecture"] == "jumprelu"
    sae = load_sae(tmp_path / "jump")
    assert sae.W_enc_DF.shape == (WIDTH, LATENTS)


def test_foreign_directories(tmp_path, x_SLD):
    sae = random_sae("topk")
    save_sae(tmp_path / "sae", sae, {}, {}, CURVE)
    config = read_json(tmp_path / "sae" / "cfg.json")
    del config["metadata"]["inference"]
    write_json(tmp_path / "sae" / "cfg.json", config)
    assert torch.equal(load_sae(tmp_path / "sae").encode(x_SLD), sae.encode(x_SLD))
    write_json(tmp_path / "sae" / "cfg.json", config | {"architecture": "gated"})
    with pytest.raises(UserError, match=r"architecture 'gated' is unknown; use one of: topk, jumprelu, standard"):
        load_sae(tmp_path / "sae")
    write_json(tmp_path / "sae" / "cfg.json", config | {"normalize_activations": "layer_norm"})
    with pytest.raises(UserError, match=r"normalize_activations is 'layer_norm'; only 'none' can be read"):
        load_sae(tmp_path / "sae")
    with pytest.raises(UserError, match=r"cfg.json: no such file"):
        load_sae(tmp_path / "nothing")


def test_an_sae_can_be_saved_again_under_another_rule(tmp_path, x_SLD):
    sae, per_latent_F = random_sae("described"), torch.rand(LATENTS)
    save_sae(tmp_path / "sae", sae, {"described": sae.threshold, "per_latent": per_latent_F}, {"variant": "wta"}, CURVE)
    per_latent = load_sae(tmp_path / "sae", "per_latent")
    save_sae(tmp_path / "again", per_latent, {}, read_metadata(tmp_path / "sae"), CURVE)
    again = load_sae(tmp_path / "again")
    assert again.inference == "per_latent"
    assert torch.equal(again.encode(x_SLD), per_latent.encode(x_SLD))


def test_a_released_sae_is_not_saved(tmp_path):
    with pytest.raises(UserError, match="SAELens' format cannot express the inference rule 'released'"):
        save_sae(tmp_path / "sae", random_sae("released"), {}, {}, CURVE)
    assert list(tmp_path.iterdir()) == []


def test_decoder_norms_are_folded_into_the_encoder(tmp_path, x_SLD):
    """By SAELens' definition: the k largest pre-activations times their decoder norm, decoded by unit rows."""
    sae = random_sae("topk")
    save_sae(tmp_path / "sae", sae, {}, {}, CURVE)
    config = read_json(tmp_path / "sae" / "cfg.json")
    write_json(tmp_path / "sae" / "cfg.json", config | {"rescale_acts_by_decoder_norm": True})
    norm_F = sae.W_dec_FD.norm(dim=1)
    acts_SLF = top_k(sae.pre_activations(x_SLD) * norm_F, sae.k)
    loaded = load_sae(tmp_path / "sae")
    torch.testing.assert_close(loaded.encode(x_SLD), acts_SLF)
    torch.testing.assert_close(loaded.decode(acts_SLF), sae.decode(acts_SLF / norm_F))
