"""The figures of the paper, from a synthetic table of metrics."""

import numpy as np
import pandas as pd
import pytest
import torch

from synthetic_metrics import BATCH_TOKENS, COSINES, METRICS, PUBLISHED, RATES, ROOT, TABLE_K, synthetic
from wta_sae.__main__ import main
from wta_sae.base.errors import UserError
from wta_sae.machine.files import write_json
from wta_sae.machine.tensor_files import write_tensors
from wta_sae.plan.winners import winners_per_latent
from wta_sae.presentation import cosine_figure as figure1
from wta_sae.presentation import frontier_figure as figure3
from wta_sae.presentation import sweep_figure as figure2
from wta_sae.presentation.drawing import save_figure
from wta_sae.presentation.run_metrics import RunMetrics

WINNERS = [winners_per_latent(rate, BATCH_TOKENS) for rate in RATES]


def assert_nothing_is_cut_off(figure) -> None:
    """All that is drawn, labels included, lies on the canvas; in inches."""
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height, drawn
    assert drawn.width > 0.9 * width and drawn.height > 0.9 * height


@pytest.fixture(scope="module")
def core():
    return figure2.draw_figure2(RunMetrics(METRICS), PUBLISHED, TABLE_K)


def test_figure2_has_its_panels_lines_and_points(core):
    assert [axes.get_title(loc="left")[:3] for axes in core.axes] == ["(a)", "(b)", "(c)", "(d)"]
    # three rules, two baselines; the published points of all but L1; in (b) the uncentred line as well
    assert [len(axes.get_lines()) for axes in core.axes] == [6, 7, 5, 6]
    assert all(axes.get_xscale() == "log" for axes in core.axes)
    described = core.axes[2].get_lines()[0]
    assert described.get_xdata().tolist() == sorted(RATES)
    assert described.get_ydata()[-1] == pytest.approx(3 * (60 - 30 * np.log2(102) / 7))
    assert_nothing_is_cut_off(core)


def test_figure2_draws_published_l1_on_the_papers_model_only():
    figure = figure2.draw_figure2(RunMetrics(METRICS), PUBLISHED, TABLE_K, same_model=True)
    assert figure.axes[2].get_lines()[-1].get_ydata().tolist() == [160, 60]


def test_figure2_shows_values_far_below_zero():
    figure = figure2.draw_figure2(RunMetrics(synthetic(lowest_variance=-300)), PUBLISHED, TABLE_K)
    axes = figure.axes[1]
    assert axes.get_yscale() == "symlog"
    low, high = axes.get_ylim()
    for line in axes.get_lines():
        assert low < np.min(line.get_ydata()) and np.max(line.get_ydata()) < high
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize("missing", ["kl_div_score", "explained_variance_saebench"])
def test_figure2_names_a_missing_metric(missing):
    with pytest.raises(UserError, match=f"'{missing}'.*missing"):
        figure2.draw_figure2(RunMetrics(METRICS[METRICS["metric"] != missing]), PUBLISHED, TABLE_K)


def test_figure1_writes_every_median_and_marks_shared_saes():
    figure = figure1.draw_figure1(COSINES, PUBLISHED, RunMetrics(METRICS).winners)
    (axes,) = figure.axes
    written = [text.get_text() for text in axes.texts if text.get_position()[1] == figure1.MEDIANS_AT]
    assert written == [f"{np.median(COSINES[rate]):.2f}" for rate in sorted(RATES)]
    (band,) = axes.patches[:1]
    assert band.get_x() < 0 and 5 < band.get_x() + band.get_width() < 6  # the six lowest rates
    labels = [text.get_text() for text in axes.texts]
    assert labels.count("1") == 6 and "102" in labels and "0.0078" in labels
    assert_nothing_is_cut_off(figure)


def test_figure1_refuses_what_it_cannot_draw():
    with pytest.raises(UserError, match="no encoder-decoder cosines"):
        figure1.draw_figure1({}, PUBLISHED, {})
    with pytest.raises(UserError, match="no finite"):
        figure1.draw_figure1({0.01: np.array([np.nan])}, PUBLISHED, {0.01: 1})


def test_figure3_sets_every_readout_over_the_l0_it_reached():
    figure = figure3.draw_figure3(RunMetrics(METRICS), TABLE_K)
    titles = ["(a) Variance left unexplained, ", "(b) CE loss not recovered, "]
    assert [axes.get_title(loc="left").split("1")[0] for axes in figure.axes] == titles
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}
    described, hollow, released, _, per_latent, _, batch_topk, topk, at_k = figure.axes[0].get_lines()
    assert described.get_xdata().tolist() == pytest.approx([60 - 30 * np.log2(count) / 7 for count in WINNERS])
    assert hollow.get_xydata().tolist() == [[60, 0.8]] and hollow.get_markerfacecolor() == "white"
    assert set(released.get_xdata()) == {16.0} and len(released.get_xdata()) == len(RATES)
    assert per_latent.get_xydata()[-2].tolist() == pytest.approx([20, 0.75 - 0.6 * np.log2(20) / 7])
    assert batch_topk.get_xydata() == pytest.approx(np.array([[3.85, 0.22], [15.4, 0.107], [61.6, 0.06]]))
    assert topk.get_xydata() == pytest.approx(np.array([[4, 0.2], [16, 0.088], [64, 0.05]]))
    assert at_k.get_xdata() == [TABLE_K, TABLE_K]
    assert figure.axes[1].get_lines()[-2].get_ydata().tolist() == pytest.approx([0.05, 0.022, 0.0125])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[1] == "WTA, released: $L_0$ 16.0 at all rates"
    assert_nothing_is_cut_off(figure)


def test_an_sae_from_elsewhere_has_one_mark_in_both_panels_though_another_lacks_a_score():
    scores = {"a": {"l0": 5.0, "explained_variance": 0.4}, "b": {"l0": 9.0, "explained_variance": 0.5, "ce_loss_score": 0.6}}
    rows = [
        {"run": "x", "sae": sae, "variant": "foreign", "inference": "relu", "metric": metric, "value": value}
        for sae, found in scores.items()
        for metric, value in found.items()
    ]
    figure = figure3.draw_figure3(RunMetrics(pd.concat([METRICS, pd.DataFrame(rows)], ignore_index=True)), TABLE_K)
    marks = [[line.get_marker() for line in axes.lines if line.get_marker() in "*P"] for axes in figure.axes]
    assert marks == [["*", "P"], ["P"]]


def test_a_score_above_1_is_not_cut_off():
    above = METRICS["metric"].eq("ce_loss_score") & METRICS["variant"].eq("topk")
    moved = METRICS.assign(value=METRICS["value"].where(~above, METRICS["value"] + 1.5))
    variance, score = figure3.draw_figure3(RunMetrics(moved), TABLE_K).axes
    lowest = min(line.get_ydata().min() for line in score.get_lines()[:-1])
    assert lowest < -1 and score.get_ylim()[0] < lowest
    assert (variance.get_yscale(), score.get_yscale()) == ("log", "symlog")
    assert score.get_title(loc="left").endswith("(linear below 0.01)")


def test_figure3_marks_saes_from_elsewhere():
    names = ("l0", "explained_variance", "ce_loss_score")
    values = {"theirs": (9.0, 0.5, 0.6), "theirs_2": (400.0, 0.7, 0.8)}
    rows = [
        {"run": "x", "sae": sae, "variant": "foreign", "inference": "relu", "metric": metric, "value": value}
        for sae, found in values.items()
        for metric, value in zip(names, found, strict=True)
    ]
    figure = figure3.draw_figure3(RunMetrics(pd.concat([METRICS, pd.DataFrame(rows)], ignore_index=True)), k=16)
    for axes, index in zip(figure.axes, (1, 2), strict=True):
        marks = {line.get_marker(): (line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines}
        assert [marks["*"], marks["P"]] == [(found[0], 1 - found[index]) for found in values.values()]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"theirs", "theirs_2"} <= set(labels)
    assert_nothing_is_cut_off(figure)


def test_figure3_shows_values_far_below_zero_and_names_what_is_missing():
    figure = figure3.draw_figure3(RunMetrics(synthetic(lowest_variance=-300)), TABLE_K)
    for axes in figure.axes:
        low, high = axes.get_ylim()
        drawn = np.concatenate([line.get_ydata() for line in axes.get_lines()[:-1]])
        assert axes.get_yscale() == "log" and low < drawn.min() and drawn.max() < high
    assert_nothing_is_cut_off(figure)
    with pytest.raises(UserError, match="figure 3: no SAE of this run in the table"):
        figure3.draw_figure3(RunMetrics(METRICS[METRICS["variant"] == "foreign"]), TABLE_K)
    without = (METRICS["k_per_token"] == 64) & (METRICS["variant"] == "topk") & (METRICS["metric"] == "l0")
    with pytest.raises(UserError, match="'l0' of topk, k 64, read out by 'topk', is missing"):
        figure3.draw_figure3(RunMetrics(METRICS[~without]), TABLE_K)


def test_figure3_says_over_which_l0_the_released_rule_ranges():
    moved = METRICS.copy()
    row = (moved["sparsity_rate"] == RATES[-1]) & (moved["inference"] == "released") & (moved["metric"] == "l0")
    moved.loc[row, "value"] = 15.84
    labels = [text.get_text() for text in figure3.draw_figure3(RunMetrics(moved), TABLE_K).legends[0].get_texts()]
    assert labels[1] == "WTA, released: $L_0$ 15.8 to 16.0 over all rates"


def test_figure1_takes_the_first_sae_given_for_a_rate(tmp_path):
    for name, cosine in (("wta-k20", 0.7), ("wta-k20-seed43", 0.2)):
        write_json(tmp_path / name / "cfg.json", {"metadata": {"variant": "wta", "k": 20, "rates": [0.01]}})
        cosines = torch.linspace(cosine - 0.1, cosine + 0.1, 41)
        write_tensors(tmp_path / f"{name}.safetensors", {"encoder_decoder_cosine_sim": cosines}, {"sae": name})
    command = ["figure1", "--published", str(ROOT / "paper" / "published.yaml")]
    for out, names in (("both", ["wta-k20", "wta-k20-seed43"]), ("first", ["wta-k20"])):
        command_of = [*command, "--saes", *(str(tmp_path / name) for name in names)]
        command_of += ["--latent-files", *(str(tmp_path / f"{name}.safetensors") for name in names)]
        assert main([*command_of, "--pdf", str(tmp_path / f"{out}.pdf"), "--png", str(tmp_path / f"{out}.png")]) == 0
    assert (tmp_path / "both.png").read_bytes() == (tmp_path / "first.png").read_bytes()


def test_figures_are_the_same_bytes_twice_and_hold_the_papers_font(core, tmp_path):
    again = figure2.draw_figure2(RunMetrics(METRICS), PUBLISHED, TABLE_K)
    for name, figure in (("one", core), ("two", again)):
        save_figure(figure, tmp_path / f"{name}.pdf", tmp_path / f"{name}.png")
    first = (tmp_path / "one.pdf").read_bytes()
    assert first == (tmp_path / "two.pdf").read_bytes()
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert b"STIXGeneral" in first and b"CreationDate" not in first and b"DejaVu" not in first
