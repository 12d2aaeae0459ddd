from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import metrics_golden as golden
from wta_sae.__main__ import main
from wta_sae.machine.files import read_json
from wta_sae.metrics import geometry
from wta_sae.metrics.geometry import encoder_decoder_geometry, threshold_ratio
from wta_sae.metrics.training_curve import dead_at_end
from wta_sae.sae.sae import SAE
from wta_sae.sae.save import save_sae

STATISTICS = (
    "encoder_bias",
    "encoder_norm",
    "encoder_decoder_cosine_sim",
    "max_encoder_cosine_sim",
    "max_decoder_cosine_sim",
)


@pytest.mark.parametrize("name", golden.NAMES)
def test_geometry_agrees_with_saebench(name):
    found = encoder_decoder_geometry(golden.saes()[name])
    core = golden.reference(name)["core"]
    for metric in ("average_max_encoder_cosine_sim", "average_max_decoder_cosine_sim"):
        assert found.metrics[metric] == pytest.approx(core["misc_metrics"][metric], rel=1e-4)
    levels = torch.tensor([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1], dtype=torch.float64)
    for statistic in STATISTICS:
        expected = core["feature_summary"][statistic]
        values = found.per_latent[statistic].double()
        assert values.mean().item() == pytest.approx(expected["mean"], rel=1e-4)
        assert values.quantile(levels).tolist() == pytest.approx(expected["quantiles_0_5_25_50_75_95_100"], rel=1e-4)


def test_geometry_by_hand():
    W_enc = torch.tensor([[2.0, 0.0, 3.0], [0.0, 1.0, 4.0]])
    W_dec = torch.tensor([[1.0, 0.0], [0.0, -1.0], [1.0, 0.0]])
    found = encoder_decoder_geometry(SAE(W_enc, torch.tensor([1.0, 2.0, 6.0]), W_dec, torch.zeros(2), "relu"))
    assert found.per_latent["encoder_decoder_cosine_sim"].tolist() == pytest.approx([1, -1, 0.6])
    assert found.per_latent["max_encoder_cosine_sim"].tolist() == pytest.approx([0.6, 0.8, 0.8])
    assert found.per_latent["max_decoder_cosine_sim"].tolist() == pytest.approx([1, 0, 1])
    assert found.per_latent["encoder_norm"].tolist() == pytest.approx([2, 1, 5])
    assert found.metrics == pytest.approx(
        {
            "encoder_decoder_cosine_sim_mean": 0.2,
            "encoder_decoder_cosine_sim_median": 0.6,
            "average_max_encoder_cosine_sim": 2.2 / 3,
            "max_encoder_cosine_sim_median": 0.8,
            "average_max_decoder_cosine_sim": 2 / 3,
            "max_decoder_cosine_sim_median": 1,
            "mean_absolute_decoder_cosine_sim": 1 / 3,
            "encoder_norm_mean": 8 / 3,
            "encoder_norm_median": 2,
            "encoder_bias_mean": 3,
            "encoder_bias_median": 2,
        }
    )


def test_chunks_give_the_whole(monkeypatch):
    unit = torch.nn.functional.normalize(torch.randn(50, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    cosine = unit @ unit.T
    expected = cosine.fill_diagonal_(-1).amax(-1)
    monkeypatch.setattr(geometry, "LATENTS_AT_ONCE", 7)
    torch.testing.assert_close(geometry.largest_cosine_with_another(unit), expected)


def test_zero_vectors_and_a_lone_latent_give_numbers():
    zero = SAE(torch.zeros(2, 2), torch.zeros(2), torch.eye(2), torch.zeros(2), "relu")
    assert encoder_decoder_geometry(zero).per_latent["encoder_decoder_cosine_sim"].tolist() == [0, 0]
    lone = SAE(torch.ones(2, 1), torch.zeros(1), torch.ones(1, 2), torch.zeros(2), "relu")
    assert encoder_decoder_geometry(lone).metrics["average_max_decoder_cosine_sim"] == -1


def test_threshold_ratio_by_hand():
    per_latent = torch.tensor([1.0, 6.0, torch.inf, 2.0, 8.0])  # the third latent never won
    assert threshold_ratio({"described": torch.tensor(2.0), "per_latent": per_latent}).metrics == {"threshold_ratio_median": 2}
    assert threshold_ratio({"per_latent": per_latent, "threshold": torch.tensor(0.5)}).metrics == {"threshold_ratio_median": 8}


@pytest.mark.parametrize("theta", [0.0, -1.0, torch.inf, torch.nan])
def test_a_threshold_that_is_no_scale_gives_no_ratio(theta):
    assert threshold_ratio({"described": torch.tensor(theta), "per_latent": torch.ones(3)}).metrics == {}


def test_missing_thresholds_give_no_ratio():
    assert threshold_ratio({}).metrics == {}
    assert threshold_ratio({"per_latent": torch.ones(3)}).metrics == {}
    assert threshold_ratio({"described": torch.tensor(1.0)}).metrics == {}
    assert threshold_ratio({"described": torch.tensor(1.0), "per_latent": torch.full((3,), torch.inf)}).metrics == {}


@pytest.mark.parametrize("with_thresholds", [True, False])
def test_the_stage_reads_the_thresholds_beside_the_weights(tmp_path, with_thresholds):
    sae = replace(golden.identity_sae(64), inference="threshold", threshold=torch.tensor(0.5))
    thresholds = {"threshold": sae.threshold, "per_latent": torch.tensor([1.0, 2.0, 4.0, 1.0]).repeat(32)}
    save_sae(tmp_path / "sae", sae, thresholds if with_thresholds else {}, {})
    np.save(tmp_path / "tokens.npy", golden.tokens()[:2].numpy())
    command = ["evaluate", "tokens", "--lm", golden.FOLDER / "lm", "--layer", 2, "--token-file", tmp_path / "tokens.npy"]
    command += ["--sae", tmp_path / "sae", "--families", "geometry", "--out", tmp_path / "geometry.json"]
    assert main(list(map(str, command))) == 0
    found = read_json(tmp_path / "geometry.json")
    assert found["inference"] is None
    assert found["encoder_decoder_cosine_sim_mean"] == 1
    assert found.get("threshold_ratio_median") == (3 if with_thresholds else None)


def test_dead_latents_are_those_of_the_last_logged_step(tmp_path):
    assert dead_at_end(tmp_path).metrics == {}
    pd.DataFrame({"step": [10, 20], "dead": [0.0, 3.0]}).to_csv(tmp_path / "training.csv", index=False)
    assert dead_at_end(tmp_path).metrics == {"dead_latents": 3.0}
