"""Worlds of true features: their statistics, their files, and the caches that SAEs train on."""

from dataclasses import asdict, replace

import pytest
import torch

from wta_sae.activations.cache import ActivationCache
from wta_sae.base.errors import UserError
from wta_sae.machine.files import file_sha256
from wta_sae.plan.world_options import WorldOptions
from wta_sae.synthetic.planting import cache_world
from wta_sae.synthetic.world import Sample, firing_probabilities, new_world, read_world, write_world

OPTIONS = WorldOptions(features=40, width=16, active=3, zipf=1, magnitude_spread=0.3, noise=0.05, group_size=1, correlation=0.0)


def drawn(world, name, tokens):
    return Sample(*map(torch.cat, zip(*world.samples(name, tokens), strict=True)))


def sampled(tokens=20_000, **changes):
    world = new_world(replace(OPTIONS, **changes), seed=1)
    return world, drawn(world, "test", tokens)


@pytest.mark.parametrize("exponent", [0, 0.5, 1, 1.5])
def test_features_fire_as_often_as_asked_for_and_by_zipfs_law_up_to_half(exponent):
    share_G = firing_probabilities(100, 4, exponent)
    assert share_G.sum().item() == pytest.approx(4, rel=1e-5)
    assert share_G.max() <= 0.5
    law_G = share_G * torch.arange(1, 101) ** exponent
    below = share_G < 0.5
    torch.testing.assert_close(law_G[below], law_G[-1].expand(int(below.sum())))
    assert (not below.all()) == (exponent >= 1)  # where the first would fire on more than half


def test_all_features_may_fire_as_often_as_any_may():
    assert firing_probabilities(10, 5, 1).tolist() == pytest.approx([0.5] * 10)


def test_tokens_have_the_statistics_of_their_world():
    world, (x_ND, fires_NG) = sampled(noise=0.0, magnitude_spread=0.0)
    torch.testing.assert_close(x_ND, fires_NG.float() @ world.directions_GD)
    torch.testing.assert_close(world.directions_GD.norm(dim=1), torch.ones(40))
    torch.testing.assert_close(fires_NG.float().mean(0), world.probabilities_G, atol=0.015, rtol=0)
    _, (noisy_ND, same_NG) = sampled(noise=0.1, magnitude_spread=0.0)
    assert same_NG.equal(fires_NG)
    assert (noisy_ND - x_ND).std().item() == pytest.approx(0.1, rel=0.01)
    _, (sized_ND, _) = sampled(noise=0.0, features=1, active=0.5, magnitude_spread=0.3)
    sizes = sized_ND.norm(dim=1)
    assert sizes[sizes > 0].log().std().item() == pytest.approx(0.3, rel=0.05)


def test_features_of_a_group_fire_together_and_as_often_as_ever():
    world, (_, fires_NG) = sampled(zipf=0, group_size=4, correlation=0.8)
    torch.testing.assert_close(fires_NG.float().mean(0), world.probabilities_G, atol=0.015, rtol=0)
    correlation_GG = torch.corrcoef(fires_NG.T.float())
    grouped_GG = world.group_G[:, None] == world.group_G
    assert (grouped_GG.sum(1) == 4).all()
    assert correlation_GG[grouped_GG & ~torch.eye(40, dtype=torch.bool)].min() > 0.3
    assert correlation_GG[~grouped_GG].abs().max() < 0.05


def test_streams_are_seeded_and_share_no_token():
    world, other = new_world(OPTIONS, 1), new_world(OPTIONS, 2)
    one, same, evaluation = (drawn(world, name, 50).x_ND for name in ("a", "a", "b"))
    assert one.equal(same)
    assert not (one[:, None] == evaluation).all(-1).any()
    assert not world.directions_GD.equal(other.directions_GD)


def test_a_world_reads_back(tmp_path):
    world = new_world(OPTIONS, 3)
    write_world(tmp_path / "world.safetensors", world)
    back = read_world(tmp_path / "world.safetensors")
    assert (back.options, back.seed) == (OPTIONS, 3)
    assert drawn(back, "x", 5).x_ND.equal(drawn(world, "x", 5).x_ND)


def test_a_cache_holds_tokens_of_the_world_and_says_of_which(tmp_path):
    file = tmp_path / "world.safetensors"
    write_world(file, new_world(OPTIONS, 3))
    manifest = cache_world(tmp_path / "cache", file, rows=5000, shard_rows=2048, seed=3, origin={})
    assert (manifest.rows, manifest.width, len(manifest.shards)) == (5000, 16, 3)
    assert (manifest.hook_name, manifest.model_sha256) == ("synthetic", file_sha256(file))
    assert manifest.tokens["synthetic"] == asdict(OPTIONS)
    rows = torch.cat(list(ActivationCache(tmp_path / "cache").batches(1000, seed=0)))
    assert len(rows.unique(dim=0)) == 5000
    assert rows.square().sum(1).mean().sqrt().item() == pytest.approx(manifest.norm_factor, rel=1e-5)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"active": 21}, "synthetic.active: 21 is not between 0 and half of synthetic.features, 40"),
        ({"active": 0}, "synthetic.active: 0 is not between 0 and half"),
        ({"correlation": 1.0}, "synthetic.correlation: 1 is not from 0 up to"),
        ({"width": 0}, "synthetic: features, width and group_size must be at least 1"),
    ],
)
def test_a_world_that_cannot_be_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        replace(OPTIONS, **changes)
