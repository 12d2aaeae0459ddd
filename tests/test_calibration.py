"""Thresholds at a wanted L0, on a language model that is a table."""

from dataclasses import replace

import pytest
import torch

import metrics_golden as golden
from wta_sae.sae.calibration import thresholds_at_l0
from wta_sae.sae.load import load_sae
from wta_sae.sae.sae import SAE
from wta_sae.sae.save import save_sae

ONE_CUT = {"cut": torch.ones(())}


@pytest.fixture
def sae():
    """Every latent reads one direction; token 1 lies at (1, 2), token 2 at (3, 4)."""
    return SAE(torch.eye(2), torch.zeros(2), torch.eye(2), torch.zeros(2), "relu")


@pytest.fixture
def lm():
    return golden.TableModel(torch.tensor([[9.0, 9.0], [1.0, 2.0], [3.0, 4.0], [-1.0, -1.0]]))


def residuals(lm, tokens_CL, batch_contexts=16):
    """In batches, of the tokens that count, and their number."""
    batches = [lm.residual(batch_SL)[lm.valid(batch_SL)] for batch_SL in tokens_CL.split(batch_contexts)]
    return batches, sum(map(len, batches))


TOKENS = torch.tensor([[0, 1, 2], [0, 2, 1]])  # 0 is special and does not count


@pytest.mark.parametrize(("l0", "cut"), [(0.5, 3.5), (1, 2.5), (1.5, 1.5), (2, 0.0)])
def test_the_cut_lies_between_what_is_kept_and_what_is_not(lm, sae, l0, cut):
    assert thresholds_at_l0(sae, l0, ONE_CUT, *residuals(lm, TOKENS))["cut"].item() == cut


def test_latents_keep_their_proportions_and_silent_ones_stay_silent(lm, sae):
    shapes = {"own": torch.tensor([1.0, 4.0]), "silent": torch.tensor([torch.inf, 1.0])}
    found = thresholds_at_l0(sae, 1, shapes, *residuals(lm, TOKENS))
    # In units of the shape: 1 and 3 for the first latent, 0.5 and 1 for the second. Two of four kept ties at 1.
    assert found["own"].tolist() == [1.0, 4.0]
    assert found["silent"].tolist() == [torch.inf, 0.0]  # the second latent has two values for two places: nothing to cut


def test_the_batch_size_does_not_matter():
    lm, sae, tokens = golden.language_model(), golden.saes()["batchtopk"], golden.tokens()[:24]
    shapes = {"one": torch.ones(()), "own": torch.rand(512, generator=torch.Generator().manual_seed(0)) + 0.5}
    small, large = (thresholds_at_l0(sae, 6, shapes, *residuals(lm, tokens, size)) for size in (5, 24))
    for name in shapes:
        assert small[name].allclose(large[name], rtol=1e-5)
        codes = replace(sae, threshold=large[name]).encode(lm.residual(tokens)[lm.valid(tokens)])
        assert (codes > 0).sum(1).double().mean().item() == pytest.approx(6, abs=1e-3)


def test_a_calibrated_sae_is_saved_and_read_by_each_matched_rule(sae, tmp_path):
    thresholds = {"matched_threshold": torch.tensor(2.5), "matched_per_latent": torch.tensor([1.0, 4.0])}
    calibrated = replace(sae, inference="matched_threshold", threshold=thresholds["matched_threshold"])
    save_sae(tmp_path / "sae", calibrated, thresholds, {"variant": "wta", "matched_l0": 1})
    x_BD = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    by_token = load_sae(tmp_path / "sae", "matched_topk")
    save_sae(tmp_path / "topk", by_token, {}, {"matched_l0": 1})
    assert load_sae(tmp_path / "topk").encode(x_BD).equal(by_token.encode(x_BD))
    codes = {rule: load_sae(tmp_path / "sae", f"matched_{rule}").encode(x_BD) for rule in ("threshold", "per_latent", "topk")}
    assert {rule: found.tolist() for rule, found in codes.items()} == {
        "threshold": [[0, 0], [3, 4]],
        "per_latent": [[0, 0], [3, 0]],
        "topk": [[0, 2], [0, 4]],
    }
