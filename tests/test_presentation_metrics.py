"""Selecting values of a run's metrics, and the published numbers."""

import numpy as np
import pandas as pd
import pytest

from synthetic_metrics import METRICS, PUBLISHED, TABLE_RATE, rows, table
from wta_sae.base.errors import UserError
from wta_sae.presentation import latex, metrics_table
from wta_sae.presentation.papers_readouts import WTA_DESCRIBED
from wta_sae.variants.registry import VARIANTS


def test_value_is_the_mean_over_seeds_and_none_where_nothing_was_measured():
    first = rows("topk-k16", "topk", "topk", {"l0": 16.0, "l1": float("nan")})
    second = [row | {"seed": 43} for row in rows("topk-k16-seed43", "topk", "topk", {"l0": 17.0})]
    repeated = table(first + second)
    select = {"variant": "topk", "inference": "topk"}
    assert metrics_table.value(repeated, **select, metric="l0") == 16.5
    assert metrics_table.value(repeated, **select, metric="l1") is None
    assert metrics_table.value(repeated, **select, metric="mse") is None


def test_spread_is_the_sample_standard_deviation_and_none_for_one_seed():
    values = {42: 16.0, 43: 17.0, 44: 18.0}
    records = [row | {"seed": seed} for seed, l0 in values.items() for row in rows("topk-k16", "topk", "topk", {"l0": l0})]
    select = {"variant": "topk", "inference": "topk", "metric": "l0"}
    assert metrics_table.spread(table(records), **select) == 1.0
    assert metrics_table.spread(table(records[:2]), **select) == pytest.approx(np.sqrt(0.5))
    assert metrics_table.spread(table(records[:1]), **select) is None
    assert metrics_table.by_seed(table(records), **select).to_dict() == values


def test_a_readout_is_taken_at_its_rate_or_k():
    described, topk = WTA_DESCRIBED, VARIANTS["topk"].readouts[0]
    assert metrics_table.readout_value(METRICS, topk, "l0", TABLE_RATE, 64) == 64
    assert metrics_table.readout_spread(METRICS, topk, "l0", TABLE_RATE, 64) is None
    assert metrics_table.readout_spread(METRICS, topk, "explained_variance", TABLE_RATE, 16) == pytest.approx(0.001)
    assert metrics_table.readout_spread(METRICS, described, "explained_variance", TABLE_RATE, 16) == pytest.approx(0.002)
    assert metrics_table.weights_value(METRICS, topk, "encoder_decoder_cosine_sim_median", TABLE_RATE, 4) == 0.516


def test_ablations_stand_apart():
    select = {"variant": "wta", "inference": "described", "metric": "explained_variance", "sparsity_rate": TABLE_RATE}
    ordinary = metrics_table.value(METRICS, **select)
    assert metrics_table.value(METRICS, **select, ablation="gate") == pytest.approx(ordinary - 0.03)
    assert metrics_table.value(METRICS, **select, ablation="colour") is None


def test_value_refuses_to_choose_between_two_saes():
    both = table(rows("topk-k16", "topk", "topk", {"l0": 16}) + rows("topk-k32", "topk", "topk", {"l0": 32}))
    with pytest.raises(UserError, match=r"'l0'.*topk-k16, topk-k32"):
        metrics_table.value(both, variant="topk", inference="topk", metric="l0")


def test_value_takes_the_nominal_rate_even_where_rates_share_an_sae():
    assert metrics_table.value(METRICS, variant="wta", inference="per_latent", metric="l0", sparsity_rate=0.01) == 20
    assert metrics_table.value(METRICS, variant="wta", inference="per_latent", metric="l0", sparsity_rate=5e-6) == 1


def test_rates_that_share_an_sae_stand_together():
    winners = metrics_table.winners_by_rate(METRICS)
    assert list(winners.values()) == [1, 1, 1, 1, 1, 1, 2, 10, 16, 20, 102]
    assert [len(group) for group in metrics_table.rates_sharing_an_sae(winners)] == [6, 1, 1, 1, 1, 1]


def test_read_metrics_survives_the_round_trip_and_names_what_is_wrong(tmp_path):
    path = tmp_path / "metrics.csv"
    METRICS.to_csv(path, index=False)
    pd.testing.assert_frame_equal(metrics_table.read_metrics(path), METRICS, check_dtype=False)
    with pytest.raises(UserError, match="no such file"):
        metrics_table.read_metrics(tmp_path / "absent.csv")
    METRICS.drop(columns="seed").to_csv(path, index=False)
    with pytest.raises(UserError, match="lacks the column 'seed'"):
        metrics_table.read_metrics(path)
    METRICS.assign(value="much").to_csv(path, index=False)
    with pytest.raises(UserError, match="not a number"):
        metrics_table.read_metrics(path)


def test_published_yaml_holds_table_1_as_printed():
    printed = {
        row["metric"]: [latex.number(row["published"][name], row["digits"]) for name in ("wta", "batch_topk", "topk")]
        for row in PUBLISHED["rows"]
        if "published" in row
    }
    assert printed == {
        "l0": ["63.27", "62.16", "64.00"],
        "explained_variance_saebench": ["0.68", "0.88", "0.87"],
        "ce_loss_score": ["0.835", "0.976", "0.971"],
        "ce_loss_with_sae": ["4.46", "3.38", "3.42"],
        "sae_test_accuracy": ["0.929", "0.931", "0.931"],
        "scr_metric_threshold_20": ["0.092", "0.112", "0.146"],
        "tpp_threshold_20_total_metric": ["0.062", "0.106", "0.154"],
    }


def test_published_yaml_agrees_with_itself():
    setup = PUBLISHED["setup"]
    assert setup["steps"] == setup["tokens"] // setup["batch_tokens"]
    printed = next(row["published"] for row in PUBLISHED["rows"] if row["metric"] == "ce_loss_with_sae")
    assert all(loss > setup["ce_loss_without_sae"] for loss in printed.values())
    assert {row["direction"] for row in PUBLISHED["rows"]} == {"higher", "lower", "none"}
    named = [row["macro"] for row in PUBLISHED["rows"]]
    assert len(set(named)) == len(named) and all(name.isalpha() for name in named)
    points = [point for entry in PUBLISHED["figure2"] for point in entry["points"]]
    statements = points + PUBLISHED["figure1"]["medians"]
    assert all(item["source"] and isinstance(item["approximate"], bool) for item in statements)
    assert all(setup["lowest_rate"] <= point["rate"] <= setup["highest_rate"] for point in points)
