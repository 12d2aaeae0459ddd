"""Whether another seed's SAE has the same latents, by worked examples."""

import math

import pytest
import torch

from wta_sae.__main__ import main
from wta_sae.machine.files import read_json
from wta_sae.machine.tensor_files import write_tensors
from wta_sae.metrics.columns import DENSITY_CLASSES
from wta_sae.metrics.geometry import mean_absolute_cosine_of_pairs
from wta_sae.metrics.stability import seed_stability, stability_by_density
from wta_sae.sae.sae import SAE
from wta_sae.sae.save import save_sae

EYE = torch.eye(4)


def test_the_same_latents_in_another_order_are_all_found_again():
    found = seed_stability(EYE, 3 * EYE[[2, 0, 3, 1]])
    assert (found.metrics["seed_stability"], found.metrics["found_again"]) == (1.0, 1.0)
    assert found.per_latent["matched_cosine"].tolist() == [1.0] * 4


def test_each_latent_has_the_cosine_of_its_own_match():
    other = EYE.clone()
    other[1] = torch.tensor([0.0, 0.6, 0.8, 0.0])  # nearer to the third latent, whose own match is nearer still
    found = seed_stability(EYE, other)
    torch.testing.assert_close(found.per_latent["matched_cosine"], torch.tensor([1.0, 0.6, 1.0, 1.0]))
    assert (found.metrics["seed_stability"], found.metrics["found_again"]) == (pytest.approx(0.9), 0.75)


def test_chance_is_what_latents_of_no_meaning_come_to():
    one, other = torch.randn(2, 300, 16, generator=torch.Generator().manual_seed(7))
    found = seed_stability(one, other).metrics
    assert found["seed_stability"] == pytest.approx(found["chance_stability"], abs=0.01)


def test_latents_are_classed_by_their_density_over_the_mean():
    density = torch.tensor([0.0, 0.25, 0.75, 3.0])  # the mean is 1
    found = stability_by_density(torch.tensor([0.1, 0.2, 0.4, 0.8]), density)
    metrics = found.metrics
    assert {x: metrics[f"latents_at_density_{x:g}"] for x in DENSITY_CLASSES if metrics[f"latents_at_density_{x:g}"]} == {
        0: 0.25,
        0.25: 0.25,  # a lower bound belongs to the class above it
        0.5: 0.25,
        2: 0.25,
    }
    assert metrics["stability_at_density_2"] == pytest.approx(0.8)
    assert "stability_at_density_1" not in metrics and not found.undefined
    assert metrics["stability_density_correlation"] == pytest.approx(1.0)


def test_a_correlation_needs_latents_that_are_not_all_alike():
    assert "stability_density_correlation" in stability_by_density(torch.tensor([0.1, 0.2]), torch.ones(2)).undefined


def test_the_mean_absolute_cosine_of_pairs():
    slanted = torch.tensor([[1.0, 0.0], [0.0, -1.0], [0.6, 0.8]])
    assert mean_absolute_cosine_of_pairs(slanted) == pytest.approx((0 + 0.6 + 0.8) / 3)
    assert mean_absolute_cosine_of_pairs(EYE[:1]) is None


@pytest.fixture
def saes(tmp_path):
    """Two SAEs that differ in their seed, a third of another k, and the first one's densities."""
    for name, seed, k in (("one", 42, 2), ("two", 43, 2), ("three", 44, 3)):
        sae = SAE(EYE, torch.zeros(4), EYE[torch.randperm(4)], torch.zeros(4), "topk", k=k)
        save_sae(tmp_path / name, sae, {}, {"variant": "topk", "k": k, "seed": seed, "options": {}})
    density = torch.tensor([0.5, 0.25, 0.25, 0.0])
    write_tensors(tmp_path / "latents.safetensors", {"matched_topk.feature_density": density}, {"sae": "one"})
    return tmp_path


def evaluate(folder, sae="one", other="two", rule="matched_topk"):
    arguments = {"sae": folder / sae, "other": folder / other, "latent-file": folder / "latents.safetensors", "rule": rule}
    words = [word for name, value in (arguments | {"out": folder / "out.json"}).items() for word in (f"--{name}", str(value))]
    return main(["evaluate", "stability", *words])


def test_the_stage_writes_both_kinds_of_metrics(saes):
    assert evaluate(saes) == 0
    weights, densities = read_json(saes / "out.json")
    assert (weights["sae"], weights["inference"], weights["seed_stability"]) == ("one", None, pytest.approx(1.0))
    assert (densities["inference"], densities["latents_at_density_1"]) == ("matched_topk", 0.5)
    assert math.fsum(value for name, value in densities.items() if name.startswith("latents_at")) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"other": "one"}, "has the seed 42, as"),
        ({"other": "three"}, "in k; give one that differs in its seed only"),
        ({"rule": "matched_threshold"}, "holds no matched_threshold.feature_density of one"),
        ({"sae": "two", "other": "one"}, "holds no matched_topk.feature_density of two"),
    ],
)
def test_what_cannot_be_compared_is_refused(saes, capsys, changes, line):
    assert evaluate(saes, **changes) == 1
    assert line in capsys.readouterr().err
    assert not (saes / "out.json").exists()
