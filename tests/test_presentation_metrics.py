"""Selecting values of a run's metrics, and the published numbers."""

import math

import numpy as np
import pandas as pd
import pytest

from synthetic_metrics import METRICS, PUBLISHED, TABLE_RATE, rows, run_of, table
from wta_sae.base.errors import UserError
from wta_sae.presentation.notation import LATEX
from wta_sae.presentation.papers_readouts import NAMED
from wta_sae.presentation.run_metrics import RunMetrics, read_metrics

INDEX = RunMetrics(METRICS)


def test_an_estimate_is_over_the_seeds_that_measured_it():
    values = {42: 16.0, 43: 17.0, 44: 18.0}
    records = []
    for seed, l0 in values.items():
        records += rows("t", "topk", "topk", {"l0": l0}, k_per_token=16, seed=seed)
    records += rows("t", "topk", "topk", {"l1": math.nan}, k_per_token=16)
    assert RunMetrics(table(records)).of("topk", "topk", "l0", 16) == (17.0, 1.0, 3)
    two, one = (RunMetrics(table(records[:count])).of("topk", "topk", "l0", 16) for count in (2, 1))
    assert two == (16.5, pytest.approx(np.sqrt(0.5)), 2)
    assert one.mean == 16.0 and math.isnan(one.spread)
    for metric in ("l1", "mse"):
        assert math.isnan(RunMetrics(table(records)).of("topk", "topk", metric, 16).mean)
    assert RunMetrics(table(records)).of_seed(43).of("topk", "topk", "l0", 16).mean == 17.0


def test_a_readout_is_taken_at_its_rate_or_k():
    described, topk = NAMED["described"], NAMED["topk"]
    assert INDEX.at(topk, "l0", TABLE_RATE, 64).mean == 64
    assert math.isnan(INDEX.at(topk, "l0", TABLE_RATE, 64).spread)
    assert INDEX.at(topk, "explained_variance", TABLE_RATE, 16).spread == pytest.approx(0.001)
    assert INDEX.at(described, "explained_variance", TABLE_RATE, 16).spread == pytest.approx(0.002)
    assert INDEX.of_weights("topk", "encoder_decoder_cosine_sim_median", TABLE_RATE, 4).mean == 0.516


def test_a_rate_that_was_computed_another_way_is_the_same_one():
    assert INDEX.of("wta", "per_latent", "l0", 0.1 * 0.1).mean == INDEX.of("wta", "per_latent", "l0", 0.01).mean == 20


def test_ablations_stand_apart_and_are_of_the_first_seed():
    run, described = run_of(), NAMED["described"]
    ordinary = run.ablated(described, "explained_variance", None)
    assert run.ablated(described, "explained_variance", "gate") == pytest.approx(ordinary - 0.03)
    assert math.isnan(run.ablated(described, "explained_variance", "colour"))
    assert run.change(described, "encoder_bias") == (pytest.approx(-0.1), "lower")


def test_two_values_of_one_thing_are_refused():
    both = table(
        rows("one", "topk", "topk", {"l0": 16}, k_per_token=16) + rows("two", "topk", "topk", {"l0": 32}, k_per_token=16)
    )
    with pytest.raises(UserError, match=r"several values of 'l0' for topk, inference topk, in one seed \(one, two\)"):
        RunMetrics(both)


def test_saes_without_a_nominal_rate_are_nobodys_and_stand_in_nobodys_way():
    by_hand = rows("one", "wta", "released", {"l0": 3}, k_per_latent=2) + rows(
        "two", "wta", "released", {"l0": 4}, k_per_latent=3
    )
    both = pd.concat([METRICS, table(by_hand)], ignore_index=True)
    assert RunMetrics(both).sweep("released", "l0") == INDEX.sweep("released", "l0")


def test_the_nominal_rate_is_taken_even_where_rates_share_an_sae():
    assert INDEX.of("wta", "per_latent", "l0", 0.01).mean == 20
    assert INDEX.of("wta", "per_latent", "l0", 5e-6).mean == 1


def test_rates_that_share_an_sae_stand_together():
    assert list(INDEX.winners.values()) == [1, 1, 1, 1, 1, 1, 2, 10, 16, 20, 102]
    assert [len(group) for group in INDEX.groups()] == [6, 1, 1, 1, 1, 1]


def test_the_first_value_of_what_is_the_same_for_all():
    assert INDEX.first("ce_loss_without_sae") == 3.7
    assert math.isnan(INDEX.first("absent"))


def test_read_metrics_survives_the_round_trip_and_names_what_is_wrong(tmp_path):
    path = tmp_path / "metrics.csv"
    METRICS.to_csv(path, index=False)
    read = read_metrics(path)
    pd.testing.assert_frame_equal(pd.concat([read.table, read.synthetic.table]).sort_index(), METRICS, check_dtype=False)
    with pytest.raises(UserError, match="no such file"):
        read_metrics(tmp_path / "absent.csv")
    METRICS.drop(columns="seed").to_csv(path, index=False)
    with pytest.raises(UserError, match="lacks the column 'seed'"):
        read_metrics(path)
    METRICS.assign(value="much").to_csv(path, index=False)
    with pytest.raises(UserError, match="not a number"):
        read_metrics(path)


def test_published_yaml_holds_table_1_as_printed():
    printed = {
        row["metric"]: [LATEX.number(row["published"][name], row["digits"]) for name in ("wta", "batch_topk", "topk")]
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
    points = [point for entry in PUBLISHED["figure2"] for point in entry["points"]]
    statements = points + PUBLISHED["figure1"]["medians"]
    assert all(item["source"] and isinstance(item["approximate"], bool) for item in statements)
    assert all(setup["lowest_rate"] <= point["rate"] <= setup["highest_rate"] for point in points)
