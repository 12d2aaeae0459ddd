import math
from dataclasses import replace
from functools import cache

import pytest
import torch

import metrics_golden as golden
from wta_sae.base.errors import UserError
from wta_sae.language_model.model import load_language_model
from wta_sae.metrics.core import density_metrics, evaluate_core, model_behaviour, reconstruction
from wta_sae.metrics.evaluation import Evaluation, mean_evaluation
from wta_sae.sae.sae import SAE

GROUPS = (
    "model_behavior_preservation",
    "model_performance_preservation",
    "reconstruction_quality",
    "shrinkage",
    "sparsity",
    "misc_metrics",
)


@cache
def golden_core() -> dict[str, Evaluation]:
    tokens = golden.tokens()
    return evaluate_core(golden.language_model(), golden.saes(), tokens, batch_contexts=16)


@pytest.mark.parametrize("name", golden.NAMES)
def test_core_agrees_with_saebench(name):
    expected = {}
    for group in GROUPS:
        expected |= golden.reference(name)["core"][group]
    expected["explained_variance_saebench"] = expected.pop("explained_variance")
    expected = {key: value for key, value in expected.items() if not key.startswith("average_max")}  # geometry
    found = golden_core()[name].metrics
    assert len(expected) == 22
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", golden.NAMES)
@pytest.mark.parametrize("statistic", ["feature_density", "consistent_activation_heuristic"])
def test_per_latent_statistics_agree_with_saebench(name, statistic):
    expected = golden.reference(name)["core"]["feature_summary"][statistic]
    values = golden_core()[name].per_latent[statistic].double()
    levels = torch.tensor([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1], dtype=torch.float64)
    # SAEBench's consistent_activation_heuristic of a dead latent is NaN: not in the reference's mean, 0 in its quantiles.
    in_mean = values[values > 0] if statistic == "consistent_activation_heuristic" else values
    assert in_mean.mean().item() == pytest.approx(expected["mean"], rel=1e-4)
    assert values.quantile(levels).tolist() == pytest.approx(expected["quantiles_0_5_25_50_75_95_100"], rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("name", golden.NAMES)
def test_explained_variance_is_one_minus_mse_over_variance(name):
    lm, sae, tokens = golden.language_model(), golden.saes()[name], golden.tokens()
    residual = lm.residual(tokens)
    x = residual[lm.valid(tokens)].double()
    y = sae.decode(sae.encode(residual))[lm.valid(tokens)].double()
    expected = 1 - (x - y).square().sum() / (x - x.mean(0)).square().sum()
    found = golden_core()[name].metrics
    assert found["explained_variance"] == pytest.approx(expected.item(), rel=1e-6)
    assert found["squared_error_per_token"] == pytest.approx((x - y).square().sum(-1).mean().item(), rel=1e-6)


def test_only_metrics_defined_by_the_batch_depend_on_it():
    lm, saes, tokens = golden.language_model(), golden.saes(), golden.tokens()[:40]
    by_16, by_7 = (reconstruction(lm, saes, tokens, batch_contexts=n)["topk"] for n in (16, 7))
    of_the_batch = {"mse", "relative_reconstruction_bias", "explained_variance_legacy", "explained_variance_saebench"}
    for name, value in by_16.metrics.items():
        if name not in of_the_batch:
            assert by_7.metrics[name] == pytest.approx(value, rel=1e-6), name
    assert by_7.metrics["mse"] != pytest.approx(by_16.metrics["mse"], rel=0.1)
    torch.testing.assert_close(by_7.per_latent, by_16.per_latent)


def test_behaviour_does_not_depend_on_the_batch():
    lm, saes, tokens = golden.language_model(), golden.saes(), golden.tokens()[:12]
    by_16, by_5 = (model_behaviour(lm, saes, tokens, batch_contexts=n)["topk"].metrics for n in (16, 5))
    assert by_5 == pytest.approx(by_16, rel=1e-5)


def test_a_perfect_sae_loses_nothing():
    lm, tokens = golden.language_model(), golden.tokens()[:8]
    found = evaluate_core(lm, {"perfect": golden.identity_sae(lm.width)}, tokens)["perfect"].metrics
    ones = ("explained_variance", "explained_variance_legacy", "explained_variance_saebench", "cossim", "l2_ratio")
    for name in (*ones, "kl_div_score", "ce_loss_score", "relative_reconstruction_bias"):
        assert found[name] == pytest.approx(1, abs=1e-5), name
    assert found["kl_div_with_sae"] == pytest.approx(0, abs=1e-6)
    assert found["squared_error_per_token"] == pytest.approx(0, abs=1e-8)


def test_the_order_of_the_latents_does_not_matter():
    lm, sae, tokens = golden.language_model(), golden.saes()["batchtopk"], golden.tokens()[:8]
    order = torch.randperm(512, generator=torch.Generator().manual_seed(1))
    found = evaluate_core(lm, {"plain": sae, "permuted": golden.permuted(sae, order)}, tokens)
    assert found["permuted"].metrics == pytest.approx(found["plain"].metrics, rel=1e-4)
    torch.testing.assert_close(
        found["permuted"].per_latent["feature_density"], found["plain"].per_latent["feature_density"][order]
    )


def worked_example() -> tuple[golden.TableModel, SAE, torch.Tensor]:
    """Two latents that read the first of two coordinates' sign; the second coordinate is lost."""
    lm = golden.TableModel(torch.tensor([[9.0, 9.0], [3.0, 4.0], [-1.0, 0.0], [2.0, 0.0]]))
    W_enc = torch.tensor([[1.0, -1.0], [0.0, 0.0]])
    sae = SAE(W_enc, torch.zeros(2), W_enc.T.contiguous(), torch.zeros(2), "relu")
    return lm, sae, torch.tensor([[0, 1, 2, 0], [0, 3, 3, 1]])


def test_reconstruction_by_hand():
    lm, sae, tokens = worked_example()
    # Valid tokens: (3, 4), (-1, 0) | (2, 0), (2, 0), (3, 4). Outputs: the first coordinate alone. Special ones are left out.
    batches = reconstruction(lm, {"hand": sae}, tokens, batch_contexts=1)["hand"]
    assert batches.metrics == pytest.approx(
        {
            "l0": 1,
            "l1": (3 + 1 + 2 + 2 + 3) / 5,
            "l2_norm_in": (5 + 1 + 2 + 2 + 5) / 5,
            "l2_norm_out": (3 + 1 + 2 + 2 + 3) / 5,
            "l2_ratio": (0.6 + 1 + 1 + 1 + 0.6) / 5,
            "cossim": (0.6 + 1 + 1 + 1 + 0.6) / 5,
            "relative_reconstruction_bias": 1,
            "squared_error_per_token": 32 / 5,
            # Each batch's error sum by its tokens, per token: (16/2 + 16/3) / 5.
            "mse": (8 + 16 / 3) / 5,
            # Means (1, 2) and (7/3, 4/3); squared distances 8, 8 and 17/9, 17/9, 68/9.
            "explained_variance_legacy": ((1 - 16 / 8) + 1 + 1 + 1 + (1 - 16 / (68 / 9))) / 5,
            # Global mean (9/5, 8/5); sum |x|^2 = 59.
            "explained_variance": 1 - 32 / (59 - 5 * (81 + 64) / 25),
            # A = (26/2 + 33/3) / 2 = 12, c = 12/2.
            "explained_variance_saebench": 1 - (8 + 16 / 3) / 2 / (12 - 36),
            "frac_alive": 1,
            "freq_over_1_percent": 1,
            "freq_over_10_percent": 1,
            "normalized_freq_over_1_percent": 1,
            "normalized_freq_over_10_percent": 1,
        }
    )
    assert batches.per_latent["feature_density"].tolist() == pytest.approx([0.8, 0.2])
    assert batches.per_latent["consistent_activation_heuristic"].tolist() == pytest.approx([2, 1])


def test_a_dead_sae_gives_numbers_where_there_are_any():
    lm, sae, tokens = worked_example()
    dead = reconstruction(lm, {"dead": replace(sae, b_enc_F=torch.full((2,), -99.0))}, tokens)["dead"]
    assert dead.metrics["l0"] == dead.metrics["frac_alive"] == dead.metrics["cossim"] == 0
    assert dead.metrics["normalized_freq_over_1_percent"] == 0
    assert "relative_reconstruction_bias" not in dead.metrics  # 0/0
    assert all(math.isfinite(value) for value in dead.metrics.values())
    assert dead.per_latent["consistent_activation_heuristic"].tolist() == [0, 0]


def test_a_constant_output_at_the_mean_explains_nothing():
    lm, sae, tokens = worked_example()
    constant = replace(sae, b_enc_F=torch.full((2,), -99.0), b_dec_D=torch.tensor([1.8, 1.6]), subtract_b_dec=False)
    assert reconstruction(lm, {"c": constant}, tokens)["c"].metrics["explained_variance"] == pytest.approx(0, abs=1e-6)


def test_density_metrics_by_hand():
    found = density_metrics(torch.tensor([0, 0.005, 0.045, 0.2], dtype=torch.float64))
    assert found == pytest.approx(
        {
            "frac_alive": 0.75,
            "freq_over_1_percent": 0.5,
            "freq_over_10_percent": 0.25,
            "normalized_freq_over_1_percent": 0.98,
            "normalized_freq_over_10_percent": 0.8,
        }
    )


def test_released_rule_sees_whole_batches():
    lm, tokens = golden.language_model(), golden.tokens()[:20]
    sae = replace(golden.saes()["topk"], inference="released", rate=0.1)
    # Ten sequences a batch: one winner a sequence and latent, BOS's wins included but not counted.
    found = reconstruction(lm, {"released": sae}, tokens, batch_contexts=10)["released"]
    acts = torch.cat([sae.encode(lm.residual(part)) for part in tokens.split(10)])
    expected = (acts[lm.valid(tokens)] > 0).sum(-1).double().mean().item()
    assert found.metrics["l0"] == pytest.approx(expected)
    assert 0 < found.metrics["l0"] <= 512 / 127


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.zeros(0, 128, dtype=torch.int64), "holds no context"),
        (torch.zeros(2, 8, dtype=torch.int64), "only special tokens"),
        (torch.full((2, 8), 5000), "beyond the language model's vocabulary"),
    ],
)
def test_bad_tokens_are_refused(tokens, message):
    with pytest.raises(UserError, match=message):
        reconstruction(golden.language_model(), golden.saes(), tokens)


def test_bad_saes_are_refused():
    lm, tokens = golden.language_model(), golden.tokens()[:2]
    with pytest.raises(UserError, match="none given"):
        model_behaviour(lm, {}, tokens)
    with pytest.raises(UserError, match="width 32"):
        model_behaviour(lm, {"small": golden.identity_sae(32)}, tokens)
    broken = replace(golden.saes()["topk"], b_dec_D=torch.full((64,), torch.nan))
    with pytest.raises(UserError, match="not finite"):
        reconstruction(lm, {"broken": broken}, tokens)


def test_evaluations_say_what_is_undefined_and_average_what_is_there():
    first = Evaluation({"a": 1.0, "b": None, "c": None})
    assert first.metrics == {"a": 1.0}
    assert first.undefined == {"b": "0/0", "c": "0/0"}
    mean = mean_evaluation([first, Evaluation({"a": 3.0, "b": 5.0}, undefined={"c": "nothing to remove"})])
    assert mean.metrics == {"a": 2.0, "b": 5.0}
    assert mean.undefined == {"b": "in 1 of 2 sets: 0/0", "c": "in 2 of 2 sets: 0/0, nothing to remove"}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_metric_that_is_not_finite_is_an_error_and_not_left_out(value):
    with pytest.raises(UserError, match=r"metrics: l0 is (nan|inf)"):
        Evaluation({"l0": value})
    with pytest.raises(UserError, match="metrics: feature_density is not finite for latent 1"):
        Evaluation({}, {"feature_density": torch.tensor([1.0, value])})


def test_a_model_whose_upper_blocks_overflow_stops_the_evaluation():
    lm = load_language_model(golden.FOLDER / "lm", 2, torch.device("cpu"))
    lm.model.base_model.layers[-1].mlp.dense_4h_to_h.bias.data[0] = torch.inf
    with pytest.raises(UserError, match="the language model's logits are not finite as it is"):
        model_behaviour(lm, golden.saes(), golden.tokens()[:4])


def test_what_is_undefined_is_0_by_0_and_nothing_else():
    """A model whose tokens all lie at one point, and an SAE that is silent."""
    lm = golden.TableModel(torch.full((3, 2), 2.0))
    silent = replace(golden.identity_sae(2), inference="threshold", threshold=torch.tensor(9.0))
    found = reconstruction(lm, {"silent": silent}, torch.tensor([[0, 1, 2], [0, 2, 1]]))["silent"]
    assert set(found.undefined) == {"explained_variance", "explained_variance_legacy", "relative_reconstruction_bias"}
    assert found.metrics["l0"] == 0
