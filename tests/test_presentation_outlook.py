"""What tells variants apart at equal L0: each expectation comes out either way, and the words follow the numbers."""

import math
import re

import pandas as pd
import pytest

from presented import presented
from synthetic_metrics import METRICS, TABLE_K, core_values, rows, run_of, table
from wta_sae.base.errors import UserError
from wta_sae.presentation.claims import FAILS, NOISE, STANDS, UNKNOWN
from wta_sae.presentation.estimates import over_seeds_of
from wta_sae.presentation.outlook_claims import expectations_decided, standing
from wta_sae.presentation.outlook_figure import draw_figure5

ONE_SEED = METRICS[METRICS["seed"] == 42]


def changed(metric, change, variant=None, metrics=METRICS):
    """The table with a metric changed by so much, of all variants or of one."""
    rows = (metrics["metric"] == metric) & ((metrics["variant"] == variant) | (variant is None))
    return metrics.assign(value=metrics["value"].where(~rows, metrics["value"] + change))


def verdicts(metrics=METRICS):
    return {one.expectation.statement: one.margin.verdict for one in expectations_decided(run_of(metrics).outlook)}


def verdict(words, metrics=METRICS):
    return next(found for statement, found in verdicts(metrics).items() if words in statement)


def test_each_value_is_that_of_the_variants_own_form():
    outlook = run_of().outlook
    assert [one.name for one in outlook.variants] == ["wta", "batch_topk", "topk"]
    assert [outlook.of(one.name, "explained_variance").mean for one in outlook.variants] == pytest.approx([0.84, 0.892, 0.912])
    assert outlook.of("topk", "seed_stability") == (pytest.approx(0.47), pytest.approx(0.001), 3)


def test_only_expectations_on_the_runs_variants_are_decided():
    found = verdicts()
    assert len(found) == 4  # the synthetic run has no variant beyond the paper on the language model
    assert "The more often a latent is used, the more it is found again." in found


@pytest.mark.parametrize(("change", "expected"), [(0, STANDS), (-0.06, FAILS), (-0.05, NOISE), (math.nan, UNKNOWN)])
def test_wta_is_found_again_more_or_not(change, expected):
    assert verdict("more than both", changed("seed_stability", change, "wta")) == expected


@pytest.mark.parametrize(("change", "expected"), [(0, STANDS), (-1, FAILS), (-0.5, NOISE), (math.nan, UNKNOWN)])
def test_use_makes_stable_or_not(change, expected):
    assert verdict("The more often", changed("stability_density_correlation", change)) == expected


def test_latents_are_compared_where_they_are_used_alike():
    outlook = run_of().outlook
    assert outlook.stability_at_equal_use("wta", "topk") == pytest.approx((0.54, 0.54))  # in the one class that both have
    assert outlook.stability_at_equal_use("topk", "batch_topk") == pytest.approx((0.524, 0.424))
    assert verdict("TopK's where these are used") == NOISE
    assert verdict("BatchTopK's where these") == STANDS
    apart = run_of(changed("stability_at_density_1", math.nan, "topk")).outlook
    assert math.isnan(apart.stability_at_equal_use("wta", "topk")[0])


def test_one_seed_decides_nothing():
    assert set(verdicts(ONE_SEED).values()) == {UNKNOWN}


def test_how_the_others_stand():
    found = standing(run_of().outlook, "topk", "explained_variance")
    assert {word: [one.name for one in variants] for word, variants in found.items()} == {
        STANDS: [],
        FAILS: ["wta", "batch_topk"],
        NOISE: [],
        UNKNOWN: [],
    }
    level = standing(run_of(changed("explained_variance", 0.02, "batch_topk")).outlook, "topk", "explained_variance")
    assert [one.name for one in level[NOISE]] == ["batch_topk"]


def test_the_section_says_who_is_ahead():
    text = presented("outlook.tex")
    assert "the better baseline is TopK, at 0.912" in text
    assert "behind it: WTA and BatchTopK." in text
    assert r"\input{table_outlook}" in text and "{figure5}" in text
    assert text.rstrip().endswith("No other variant here gives back as much as TopK.")
    stable = changed("seed_stability", 0.1, "batch_topk", changed("explained_variance", 0.0195, "batch_topk"))
    use = presented("outlook.tex", stable).rsplit("What to use.}")[1]
    assert " ".join(use.split()) == (
        "Beyond noise, only BatchTopK is not behind TopK in explained variance. What it gains over TopK, beyond noise: "
        "stability over seeds (BatchTopK); what it loses: CE loss score (BatchTopK)."
    )


def test_a_run_of_one_seed_has_neither_figure_nor_stability():
    text = presented("outlook.tex", ONE_SEED, config=run_of().config | {"seeds": [42]})
    assert "figure5" not in text and "Found again" not in text
    with pytest.raises(UserError, match="figure 5: no SAE beside one of another seed"):
        draw_figure5(run_of(ONE_SEED[ONE_SEED["metric"] != "seed_stability"]).outlook)


def test_the_table_has_a_row_a_variant_and_the_best_is_bold():
    lines = presented("table_outlook.tex").splitlines()
    rows = {line.split(" & ")[0]: line for line in lines if line.count("&") == 10}
    assert list(rows)[1:] == ["WTA", "BatchTopK", "TopK"]
    assert r"\textbf{0.912}" in rows["TopK"] and r"\textbf{0.520}" in rows["WTA"]


def test_the_figure_draws_classes_that_hold_enough_latents():
    stability, shares = draw_figure5(run_of().outlook).axes
    *variants, chance = stability.get_lines()
    assert chance.get_ydata() == [0.3, 0.3]
    drawn = [line.get_ydata().tolist() for line in variants]
    assert drawn == [pytest.approx([0.5, 0.54]), pytest.approx([0.2, 0.44, 0.6]), pytest.approx([0.3, 0.54, 0.7])]
    assert [sum(line.get_ydata()) for line in shares.get_lines()] == pytest.approx([1, 1, 1])
    assert [tick.get_text() for tick in shares.get_xticklabels()] == ["1/16", "1/8", "1/4", "1/2", "1", "2", "4", "8"]


def test_a_large_dictionary_has_a_row_a_sae():
    records = []
    for ablation, dead in (("large", 8.0), ("large_without_auxiliary", 26.0)):
        columns = {"k_per_token": TABLE_K, "ablation": ablation}
        records += rows(f"topk-k16-{ablation}", "topk", "topk", core_values(16.0, 0.927, 16), **columns)
        records += rows(f"topk-k16-{ablation}", "topk", None, {"dead_latents": dead}, **columns)
    text = presented("outlook.tex", pd.concat([METRICS, table(records)], ignore_index=True))
    assert r"TopK & 8 & 0.998 & 16.0 & 0.9270 \\" in text
    assert r"TopK, no auxiliary loss & 26 & 0.998 & 16.0 & 0.9270 \\" in text
    assert "Where latents die" not in presented("outlook.tex")


def test_an_estimate_of_values_leaves_out_what_was_not_measured():
    assert over_seeds_of([1.0, 3.0, math.nan]) == (2.0, pytest.approx(2**0.5), 2)
    assert over_seeds_of([math.nan]).seeds == 0
    assert math.isnan(over_seeds_of([1.0]).spread)


def test_verdicts_near_the_border_have_a_star():
    near = changed("seed_stability", -0.0475, "wta")  # 0.4725 against 0.47: t = 3.06 at 4 degrees of freedom
    row = next(line for line in presented("outlook.tex", near).splitlines() if "more than both" in line)
    assert re.search(r"stands\$\^\\star\$", row)
