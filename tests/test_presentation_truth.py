"""What a run on true features comes to: estimates, the hypothesis, the figure, the table and the section."""

import pytest

from presented import presented
from synthetic_metrics import METRICS, synthetic, table, truth_rows
from wta_sae.base.errors import UserError
from wta_sae.presentation.claims import FAILS, NOISE, STANDS, UNKNOWN
from wta_sae.presentation.run_metrics import RunMetrics
from wta_sae.presentation.truth_claims import ahead_at_every_exponent, equal_rate_hypothesis
from wta_sae.presentation.truth_figure import draw_figure4
from wta_sae.variants.registry import VARIANTS

WITHOUT = METRICS[METRICS["zipf_exponent"].isna()]


def metrics_of(seeds=(42, 43, 44), **changes):
    return RunMetrics(table([row for seed in seeds for row in truth_rows(seed, changes)])).synthetic


def test_synthetic_saes_are_kept_from_those_of_the_language_model():
    both, without = RunMetrics(METRICS), RunMetrics(WITHOUT)
    assert both.table.equals(without.table)
    assert [one.name for one in both.variants()] == ["wta", "batch_topk", "topk"]
    assert without.synthetic.exponents == without.synthetic.variants == []


def test_values_are_means_over_seeds_by_each_variants_own_form():
    metrics = metrics_of()
    value = metrics.of("topk", "explained_variance", 1.0)
    assert (value.mean, value.spread) == (pytest.approx(0.80), pytest.approx(0.01))
    only = metrics.table[metrics.table["inference"] == "matched_threshold"]
    by_cut = type(metrics)(only)
    assert by_cut.of("batch_topk", "explained_variance", 1.0).mean == pytest.approx(0.81)
    assert not by_cut.of("topk", "explained_variance", 1.0).mean > 0


@pytest.mark.parametrize(
    "changes, verdict",
    [
        ({}, STANDS),
        ({"wta": (0.60, 0.65)}, FAILS),  # not ahead where all are equal
        ({"wta": (0.83, 0.90)}, FAILS),  # not behind where they are not
        ({"adaptive": (0.77, 0.55)}, FAILS),  # demand mends nothing
        ({"adaptive": (0.77, 0.75)}, FAILS),  # and is behind the baselines
        ({"wta": (0.79, 0.65)}, NOISE),
        ({"adaptive": (0.77, 0.80)}, STANDS),  # within noise of the better baseline
        ({"wta": (float("nan"), 0.65)}, UNKNOWN),
    ],
)
def test_the_hypothesis_can_come_out_either_way(changes, verdict):
    assert equal_rate_hypothesis(metrics_of(**changes)).verdict == verdict


def test_the_hypothesis_is_not_told_from_one_seed_or_one_exponent():
    assert equal_rate_hypothesis(metrics_of(seeds=(42,))).verdict == UNKNOWN
    equal_only = metrics_of().table.query("zipf_exponent == 0")
    assert equal_rate_hypothesis(RunMetrics(equal_only).synthetic).verdict == UNKNOWN


def test_the_margins_by_hand():
    hypothesis = equal_rate_hypothesis(metrics_of())
    margins = [hypothesis.ahead, hypothesis.behind, hypothesis.mended, hypothesis.level]
    assert [one.value.mean for one in margins] == pytest.approx([0.83 - 0.78, 0.80 - 0.65, 0.85 - 0.65, 0.85 - 0.81])
    assert [one.value.spread for one in margins] == pytest.approx([0.01 * 2**0.5] * 4)


def test_who_is_ahead_is_ahead_at_every_exponent():
    assert ahead_at_every_exponent(metrics_of(), "explained_variance") == []
    found = ahead_at_every_exponent(metrics_of(adaptive=(0.82, 0.85)), "explained_variance")
    assert found == [VARIANTS["adaptive"]]
    assert ahead_at_every_exponent(metrics_of(adaptive=(0.80, 0.85)), "explained_variance") == []  # within noise at 0


def test_the_figure_has_a_line_and_a_band_a_variant_in_every_panel():
    figure = draw_figure4(metrics_of())
    for axes in figure.axes:
        assert len(axes.get_lines()) == len(axes.collections) == 4
    assert figure.axes[0].get_lines()[0].get_ydata().tolist() == pytest.approx([0.83, 0.65])
    with pytest.raises(UserError, match="figure 4: no SAE of synthetic activations"):
        draw_figure4(RunMetrics(WITHOUT).synthetic)


def test_the_section_says_what_the_figure_shows():
    section = presented("truth.tex")
    assert "It stands in this run" in section
    assert "$0.050$ (beyond noise)" in section
    assert "in explained variance\nnone;" in section
    failing = table([row for seed in (42, 43, 44) for row in truth_rows(seed, {"wta": (0.6, 0.65)})])
    assert "It does not stand in this run" in presented("truth.tex", metrics=failing)


def test_a_run_without_true_features_has_no_section():
    assert presented("truth.tex", metrics=WITHOUT).strip() == "% Generated: an edit here is lost at the next build."


def test_the_table_has_a_row_a_variant_and_the_best_is_bold():
    lines = presented("table_truth.tex", metrics=synthetic()).splitlines()
    rows = {line.split(" & ")[0]: line for line in lines if line.count("&") == 4}
    assert list(rows)[1:] == ["WTA", "BatchTopK", "TopK", "Adaptive WTA"]
    assert rows["WTA"].split(" & ")[1].startswith(r"\textbf{0.830}")
    assert rows["Adaptive WTA"].split(" & ")[2].startswith(r"\textbf{0.850}")
