"""What was found of true features, by worked examples."""

import pytest
import torch

from wta_sae.metrics.matching import match_directions
from wta_sae.metrics.true_features import latent_uniqueness, truth_metrics
from wta_sae.plan.world_options import WorldOptions
from wta_sae.sae.sae import SAE
from wta_sae.synthetic.world import Sample, new_world

EYE = torch.eye(3)


def sae_of(directions_FD, inference="relu", **own):
    return SAE(directions_FD.T, torch.zeros(len(directions_FD)), directions_FD, torch.zeros(3), inference, **own)


def test_matching_is_one_to_one_and_takes_the_largest_sum():
    # Both latents are nearest to the first feature; giving it to the second one leaves more in all.
    rows = torch.tensor([[0.8, 0.6, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -2.0]])
    matching = match_directions(rows, EYE)
    assert dict(zip(matching.first_M.tolist(), matching.second_M.tolist(), strict=True)) == {0: 1, 1: 0, 2: 2}
    torch.testing.assert_close(matching.cosine_M, torch.tensor([0.6, 1.0, 1.0]))
    assert latent_uniqueness(rows, EYE) == pytest.approx(2 / 3)


def test_more_latents_than_features_leave_some_over():
    matching = match_directions(torch.cat([EYE, EYE]), EYE)
    assert sorted(matching.second_M.tolist()) == [0, 1, 2]
    assert latent_uniqueness(torch.cat([EYE, EYE]), EYE) == 0.5


def test_detection_by_hand():
    fires_NG = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
    x_ND = torch.tensor([[1.0, 0, 0], [0.2, 1, 0], [0, 1, 0], [0.7, 0, 0]])
    metrics = truth_metrics(sae_of(EYE, "threshold", threshold=torch.tensor(0.5)), EYE, [Sample(x_ND, fires_NG)]).metrics
    # The first feature fires on tokens 0 and 1, its latent on 0 and 3; the second's is right; the third never fires.
    assert metrics["feature_precision"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert metrics["feature_recall"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert metrics["feature_f1"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert metrics["frac_alive"] == pytest.approx(2 / 3)
    assert metrics["l0"] == 1
    variance = (x_ND - x_ND.mean(0)).square().sum().item()
    assert metrics["explained_variance"] == pytest.approx(1 - 0.2**2 / variance)
    assert metrics["matched_cosine"] == metrics["features_found"] == metrics["latent_uniqueness"] == 1


def test_a_feature_without_a_latent_counts_as_not_found():
    fires_NG = torch.tensor([[1, 0, 0], [0, 1, 1]], dtype=torch.bool)
    metrics = truth_metrics(sae_of(EYE[:2]), EYE, [Sample(fires_NG.float(), fires_NG)]).metrics
    assert metrics["features_found"] == metrics["feature_recall"] == pytest.approx(2 / 3)
    assert metrics["matched_cosine"] == 1


def test_an_sae_of_the_true_directions_finds_them_all_and_batches_do_not_matter():
    options = WorldOptions(features=3, width=3, active=1, zipf=0, magnitude_spread=0.1, noise=0.01, group_size=1, correlation=0)
    world = new_world(options, 0)
    perfect = sae_of(world.directions_GD, "topk", k=3)
    (sample,) = world.samples("test", 2000)
    parts = [Sample(*part) for part in zip(*(whole.split(300) for whole in sample), strict=True)]
    whole, split = (truth_metrics(perfect, world.directions_GD, batches).metrics for batches in ([sample], parts))
    assert whole == pytest.approx(split)
    assert whole["features_found"] == 1
    assert whole["feature_recall"] > 0.95
