"""The paper's conclusions as predicates: each comes out either way, and in neither where the seeds do not decide."""

import dataclasses
import math
import re

import numpy as np
import pytest
from scipy import stats

from presented import presented
from synthetic_metrics import CONFIG, METRICS, RATES, STEPS_OF_SEEDS, TABLE_K, rows, run_of, table
from wta_sae.plan.winners import winners_per_latent
from wta_sae.presentation.claims import CLAIMS, EQUAL_OWN, FAILS, NOISE, RELEASED, STANDS, UNKNOWN, decided, falls, tally
from wta_sae.presentation.estimates import (
    UNMEASURED,
    Contrast,
    Estimate,
    Sweep,
    change_word,
    least_certain,
    of_single_seeds,
    pooled_spread,
)
from wta_sae.presentation.notation import MARKDOWN

BATCH_TOKENS = CONFIG["training"]["batch_tokens"]
BASELINES = 0.6


def decider(claim):
    """The name of the function that decides it; a fall is a rise the other way up."""
    function = getattr(claim.decide, "func", claim.decide)
    return "falls" if claim.decide is falls else function.__name__


WINNERS = sorted({winners_per_latent(rate, BATCH_TOKENS) for rate in RATES})
# WTA's value at the i-th SAE of the sweep where a statement holds, and where it does not; the baselines have BASELINES.
OUTCOMES = {
    "similar": (lambda i: BASELINES, lambda i: 2 * BASELINES),
    "lags": (lambda i: BASELINES - 0.2, lambda i: BASELINES + 0.2),
    "leads": (lambda i: BASELINES + 0.2, lambda i: BASELINES - 0.2),
    "marginal": (lambda i: BASELINES, lambda i: BASELINES - 0.1),
    "rises": (lambda i: i, lambda i: -i),
    "falls": (lambda i: -i, lambda i: i),
    "peaks_inside": (lambda i: 0 < i < len(WINNERS) - 1, lambda i: i),
    "negative_at_lowest": (lambda i: i - 1, lambda i: i + 1),
    "always_at_least": (lambda i: 1, lambda i: 1 - 0.1 * (i == 2)),
    "near_best": (lambda i: 0.5, lambda i: i),
}
CASES = [
    pytest.param(claim, reading, id=f"{decider(claim)}-{claim.metric}-{reading.label}")
    for claim in CLAIMS
    for reading in claim.readings
]


def one_metric(claim, reading, wta, noise=0.0002, seeds=tuple(STEPS_OF_SEEDS)):
    """A run that measured one metric of every SAE, whose seeds differ by `noise`."""
    records = []
    for seed in seeds:
        off = noise * STEPS_OF_SEEDS[seed]
        for rate in RATES:
            winners = winners_per_latent(rate, BATCH_TOKENS)
            value = wta(WINNERS.index(winners)) + off
            columns = {"sparsity_rate": rate, "k_per_latent": winners, "seed": seed}
            records += rows(f"wta-k{winners}", "wta", reading.rules["wta"], {claim.metric: value}, **columns)
        for variant in ("batch_topk", "topk"):
            value = {claim.metric: BASELINES + off}
            records += rows(variant, variant, reading.rules[variant], value, k_per_token=TABLE_K, seed=seed)
    return table(records)


def found(claim, reading, metrics):
    (finding,) = decided(run_of(metrics), MARKDOWN, [dataclasses.replace(claim, readings=[reading])])
    return finding


def verdict(claim, reading, metrics):
    return found(claim, reading, metrics).verdict


def test_every_function_that_decides_has_a_worked_case():
    assert {decider(claim) for claim in CLAIMS} == set(OUTCOMES)


@pytest.mark.parametrize(("claim", "reading"), CASES)
def test_a_claim_comes_out_either_way(claim, reading):
    stands, fails = OUTCOMES[decider(claim)]
    assert verdict(claim, reading, one_metric(claim, reading, stands)) == STANDS
    assert verdict(claim, reading, one_metric(claim, reading, fails)) == FAILS


@pytest.mark.parametrize(("claim", "reading"), CASES)
def test_a_claim_is_left_open_by_noise_and_by_what_is_missing(claim, reading):
    for wta in OUTCOMES[decider(claim)]:
        assert verdict(claim, reading, one_metric(claim, reading, wta, noise=100)) == NOISE
        assert verdict(claim, reading, one_metric(claim, reading, wta, seeds=(42,))) == UNKNOWN
        without = one_metric(claim, reading, wta).assign(metric="another")
        assert verdict(claim, reading, without) == UNKNOWN


@pytest.mark.parametrize("variant", ["wta", "batch_topk", "topk"])
def test_a_claim_on_three_variants_is_left_open_where_one_is_missing(variant):
    claim = next(claim for claim in CLAIMS if decider(claim) == "lags")
    metrics = one_metric(claim, RELEASED, OUTCOMES["lags"][0])
    assert verdict(claim, RELEASED, metrics[metrics["variant"] != variant]) == UNKNOWN


def test_a_step_back_on_the_way_fails_a_trend():
    claim = next(claim for claim in CLAIMS if decider(claim) == "rises")
    zigzag = [0, 2, 1, 3, 4, 5]
    finding = found(claim, RELEASED, one_metric(claim, RELEASED, lambda i: zigzag[i]))
    assert finding.verdict == FAILS
    assert finding.measured == "0.000 at 1e-6 to 5e-4; 5.000 at 0.05; largest drop on the way 1.000"


def test_the_claims_on_the_synthetic_run():
    findings = decided(run_of(), MARKDOWN)
    assert tally(findings, RELEASED).total() == sum(RELEASED in claim.readings for claim in CLAIMS)
    assert [one.verdict for one in findings if one.claim is CLAIMS[0]] == [STANDS, FAILS]  # 16 and 20 against TopK's 16
    own = next(one for one in findings if one.claim is CLAIMS[1] and one.reading is EQUAL_OWN)
    assert own.measured == "WTA 0.840 ± 0.001, BatchTopK 0.892 ± 0.001, TopK 0.912 ± 0.001"


def test_the_claims_as_tables():
    findings = decided(run_of(), MARKDOWN)
    section = presented("reproduction.md").split("## 10. ")[1].split("## 11. ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(findings)
    assert {line.count("|") for line in lines} == {5}
    assert sum(not line.startswith("|  |") for line in lines) == 2 + len(CLAIMS)
    text = presented("table_claims.tex")
    assert text.count(r"\quad") == len(findings) and text.count(r"\multicolumn{3}") == len(CLAIMS)
    assert r"WTA 20.0 \ensuremath{\pm} 0.2, BatchTopK 15.4 \ensuremath{\pm} 0.1" in text
    assert r"at \ensuremath{10^{-6}} to \ensuremath{5\times 10^{-4}}" in text
    assert "±" not in text and not re.search(r"(?<!L)_", text)


# The noise of the seeds


def test_a_sweep_has_a_point_an_sae_and_the_pooled_spread():
    line = run_of().metrics.sweep("per_latent", "l0")
    assert [group[0] for group in line.rates] == [1e-6, 1e-3, 5e-3, 0.0078125, 1e-2, 5e-2]
    assert line.means == pytest.approx((1, 2, 10, 16, 20, 102))
    assert (line.spread, line.freedom) == (pytest.approx(0.2), 4)
    assert (line.lowest(), line.rates_of(line.highest())) == (pytest.approx(1), (5e-2,))
    assert math.isnan(run_of(METRICS[METRICS["seed"] == 42]).metrics.sweep("per_latent", "l0").spread)
    assert math.isnan(run_of().metrics.sweep("per_latent", "absent").highest())


@pytest.mark.parametrize(
    ("left", "right"), [([0.91, 0.93, 0.92], [0.88, 0.89, 0.84]), ([0.3, 0.5, 0.4], [0.99, 0.991, 0.989, 0.992])]
)
def test_a_difference_is_that_of_welchs_t_test(left, right):
    difference = estimate(left) - estimate(right)
    test = stats.ttest_ind(left, right, equal_var=False)
    low, high = test.confidence_interval(0.95)
    assert difference.freedom == pytest.approx(test.df)
    assert difference.mean == pytest.approx((low + high) / 2)
    assert difference.half_width() == pytest.approx((high - low) / 2)
    assert difference.counts(1 - 0.99 * test.pvalue) is False and difference.counts(1 - 1.01 * test.pvalue) is True


def test_a_difference_whose_noise_is_not_known_does_not_count():
    for one in (Estimate(0.5, math.nan, 1), UNMEASURED):
        difference = Estimate(0.9, 0.01, 3) - one
        assert not difference.known and not difference.counts() and not difference.near_border


def test_a_difference_of_equal_seeds_is_certain():
    one = Estimate(1.0, 0.0, 3)
    assert (one - Estimate(0.9, 0.0, 3)).counts() and not (one - one).counts()


def test_near_the_border_less_confidence_would_do_and_more_would_not():
    half_widths = [Contrast(0.0, 1.0, 1.0, 4).half_width(level) for level in (0.90, 0.95, 0.99)]
    assert half_widths == pytest.approx([2.132, 2.776, 4.604], abs=1e-3)
    found = {mean: Contrast(mean, 1.0, 1.0, 4) for mean in (2.0, 2.2, -2.2, 3.0, 5.0)}
    assert [one.near_border for one in found.values()] == [False, True, True, True, False]
    assert [one.counts() for one in found.values()] == [False, False, False, True, True]


def test_the_least_certain_is_the_one_whose_interval_begins_lowest():
    small, noisy = Contrast(0.1, 0.01, 0.01, 4), Contrast(0.5, 0.3, 0.3, 4)
    assert least_certain([small, noisy]) is noisy
    assert least_certain([small, Contrast(0.5, 0.1, 0.1, 4)]) is small
    unknown = Contrast(9.0, math.nan, math.nan, math.inf)
    assert least_certain([small, unknown]) is unknown


def test_the_pooled_spread():
    several = [Estimate(0.0, 3.0, 3), Estimate(9.0, 4.0, 2), Estimate(1.0, math.nan, 1)]
    assert pooled_spread(several) == (pytest.approx(((2 * 9 + 16) / 3) ** 0.5), 3)
    spread, freedom = pooled_spread(several[2:])
    assert math.isnan(spread) and freedom == 0
    line = Sweep((), (), 2.0, 4)
    assert line.of_one(1.5) == (1.5, 2.0, 2.0, 4)
    assert line.of_two(1.5) == (1.5, pytest.approx(8**0.5), pytest.approx(8**0.5), 4)


def estimate(values):
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1)), len(values))


@pytest.mark.parametrize(
    ("before", "after", "spread", "word"),
    [
        (0.5, 0.6, 0.01, "higher"),
        (0.5, 0.4, 0.01, "lower"),
        (0.5, 0.56, 0.01, "within noise"),  # 0.06 < 4.30 * sqrt(2) * 0.01
        (0.5, 0.6, math.nan, "no spread known"),
        (0.5, math.nan, 0.01, "not measured"),
    ],
)
def test_change_word(before, after, spread, word):
    assert change_word(of_single_seeds(after - before, spread, freedom=2)) == word


def test_gap_at_equal_l0_and_the_readouts_part_of_it():
    found = run_of().gap("explained_variance")
    released = 0.5 - 0.3 * abs(np.log2(16) / 7 - 0.5)
    assert found.released.mean == pytest.approx(0.892 - released)
    assert found.own.mean == pytest.approx(0.892 - 0.84)
    assert found.own.spread == pytest.approx(0.001 * np.sqrt(2))
    assert found.readout_percent == pytest.approx(100 * (1 - 0.052 / (0.892 - released)))
    one_seed = run_of(METRICS[METRICS["seed"] == 42])
    assert math.isnan(one_seed.gap("explained_variance").readout_percent)  # no spread is known
    assert math.isnan(run_of().gap("mse").own.mean)
