"""The paper's conclusions as predicates: each comes out either way, and in neither where the seeds do not decide."""

import numpy as np
import pytest

from synthetic_metrics import CONFIG, METRICS, PUBLISHED, RATES, STEPS_OF_SEEDS, TABLE_K, rows, table
from wta_sae.base.errors import UserError
from wta_sae.plan.winners import winners_per_latent
from wta_sae.presentation.claims import FAILS, NOISE, READINGS, STANDS, UNKNOWN, paper_claims, tally
from wta_sae.presentation.claims_table import markdown_claims, table_claims
from wta_sae.presentation.estimates import beyond_noise, change_word, joint_noise, sweep
from wta_sae.presentation.gap import gap
from wta_sae.presentation.settings import scale_of

SCALE = scale_of(CONFIG)
BASELINES = 0.6
WINNERS = sorted({winners_per_latent(rate, SCALE.batch_tokens) for rate in RATES})
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
    pytest.param(entry, name, id=f"{entry['predicate']}-{entry['metric']}-{name}")
    for entry in PUBLISHED["claims"]
    for name in entry["readings"]
]


def one_metric(entry, reading, wta, noise=0.0002, seeds=tuple(STEPS_OF_SEEDS)):
    """A run that measured one metric of every SAE, whose seeds differ by `noise`."""
    rules, records = READINGS[reading].rules, []
    for seed in seeds:
        off = noise * STEPS_OF_SEEDS[seed]
        for rate in RATES:
            winners = winners_per_latent(rate, SCALE.batch_tokens)
            value = wta(WINNERS.index(winners)) + off
            columns = {"sparsity_rate": rate, "k_per_latent": winners, "seed": seed}
            records += rows(f"wta-k{winners}", "wta", rules["wta"], {entry["metric"]: value}, **columns)
        for variant in ("batch_topk", "topk"):
            value = {entry["metric"]: BASELINES + off}
            records += rows(variant, variant, rules[variant], value, k_per_token=TABLE_K, seed=seed)
    return table(records)


def verdict(entry, reading, metrics):
    (claim,) = paper_claims(SCALE, metrics, {"claims": [entry | {"readings": [reading]}]})
    return claim.findings[0].verdict


def test_every_claim_has_a_worked_case_and_every_predicate_is_used():
    assert {entry["predicate"] for entry in PUBLISHED["claims"]} == set(OUTCOMES)


@pytest.mark.parametrize(("entry", "reading"), CASES)
def test_a_claim_comes_out_either_way(entry, reading):
    stands, fails = OUTCOMES[entry["predicate"]]
    assert verdict(entry, reading, one_metric(entry, reading, stands)) == STANDS
    assert verdict(entry, reading, one_metric(entry, reading, fails)) == FAILS


@pytest.mark.parametrize(("entry", "reading"), CASES)
def test_a_claim_is_left_open_by_noise_and_by_what_is_missing(entry, reading):
    for wta in OUTCOMES[entry["predicate"]]:
        assert verdict(entry, reading, one_metric(entry, reading, wta, noise=100)) == NOISE
        assert verdict(entry, reading, one_metric(entry, reading, wta, seeds=(42,))) == UNKNOWN
        without = one_metric(entry, reading, wta).assign(metric="another")
        assert verdict(entry, reading, without) == UNKNOWN


def test_a_step_back_on_the_way_fails_a_trend():
    entry = next(entry for entry in PUBLISHED["claims"] if entry["predicate"] == "rises")
    zigzag = [0, 2, 1, 3, 4, 5]
    metrics = one_metric(entry, "released", lambda i: zigzag[i])
    (claim,) = paper_claims(SCALE, metrics, {"claims": [entry | {"readings": ["released"]}]})
    assert claim.findings[0].verdict == FAILS
    assert claim.findings[0].measured == "0.000 at 1e-6 to 5e-4; 5.000 at 0.05; largest drop on the way 1.000"


def test_an_unknown_predicate_or_reading_is_named():
    entry = PUBLISHED["claims"][0]
    with pytest.raises(UserError, match="unknown predicate 'soars'; use one of: similar, lags"):
        paper_claims(SCALE, METRICS, {"claims": [entry | {"predicate": "soars"}]})
    with pytest.raises(UserError, match="unknown reading 'aloud'; use one of: released, per_latent"):
        paper_claims(SCALE, METRICS, {"claims": [entry | {"readings": ["aloud"]}]})


def test_the_claims_on_the_synthetic_run():
    claims = paper_claims(SCALE, METRICS, PUBLISHED)
    assert tally(claims, "released").total() == sum("released" in entry["readings"] for entry in PUBLISHED["claims"])
    l0, variance = claims[0], claims[1]
    assert [finding.verdict for finding in l0.findings] == [STANDS, FAILS]  # 16 and 20 against TopK's 16
    own = next(finding for finding in variance.findings if finding.reading is READINGS["equal_own"])
    assert own.measured == "WTA 0.840 ± 0.001, BatchTopK 0.892 ± 0.001, TopK 0.912 ± 0.001"


def test_the_claims_as_tables():
    claims = paper_claims(SCALE, METRICS, PUBLISHED)
    findings = sum(len(claim.findings) for claim in claims)
    lines = markdown_claims(claims).splitlines()
    assert len(lines) == 2 + findings
    assert {line.count("|") for line in lines} == {5}
    text = table_claims(claims)
    assert text.count(r"\quad") == findings and text.count(r"\multicolumn{3}") == len(claims)
    assert r"WTA 20.0 \ensuremath{\pm} 0.2, BatchTopK 15.4 \ensuremath{\pm} 0.1" in text
    assert r"at \ensuremath{10^{-6}} to \ensuremath{5\times 10^{-4}}" in text
    assert "±" not in text and "_" not in text.replace("$L_0$", "").replace("$L_1$", "")


# The noise of the seeds


def test_a_sweep_has_a_point_an_sae_and_the_largest_spread():
    line = sweep(METRICS, "per_latent", "l0")
    assert [group[0] for group in line.rates] == [1e-6, 1e-3, 5e-3, 0.0078125, 1e-2, 5e-2]
    assert line.means == pytest.approx((1, 2, 10, 16, 20, 102))
    assert line.noise == pytest.approx(0.2)
    assert sweep(METRICS[METRICS["seed"] == 42], "per_latent", "l0").noise is None


def test_noise_of_a_difference():
    assert joint_noise(3.0, 4.0) == 5.0
    assert joint_noise(3.0, None) is None
    assert beyond_noise(-2.1, 1.0) and not beyond_noise(2.0, 1.0) and not beyond_noise(9.0, None)


@pytest.mark.parametrize(
    ("before", "after", "spread", "word"),
    [
        (0.5, 0.6, 0.01, "higher"),
        (0.5, 0.4, 0.01, "lower"),
        (0.5, 0.52, 0.01, "within noise"),  # 0.02 < 2 * sqrt(2) * 0.01
        (0.5, 0.6, None, "no spread known"),
        (0.5, None, 0.01, "not measured"),
    ],
)
def test_change_word(before, after, spread, word):
    assert change_word(before, after, spread) == word


def test_gap_at_equal_l0_and_the_readouts_part_of_it():
    found = gap(SCALE, METRICS, "explained_variance")
    released = 0.5 - 0.3 * abs(np.log2(16) / 7 - 0.5)
    assert found.released.mean == pytest.approx(0.892 - released)
    assert found.own.mean == pytest.approx(0.892 - 0.84)
    assert found.own.spread == pytest.approx(0.001 * np.sqrt(2))
    assert found.readout_percent == pytest.approx(100 * (1 - 0.052 / (0.892 - released)))
    assert gap(SCALE, METRICS[METRICS["seed"] == 42], "explained_variance").readout_percent is None  # no spread is known
    assert gap(SCALE, METRICS, "mse").own.mean is None
