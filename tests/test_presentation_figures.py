"""The figures of the paper, from a synthetic table of metrics."""

import numpy as np
import pytest

from synthetic_metrics import COSINES, METRICS, PUBLISHED, RATES, TABLE_K, synthetic
from wta_sae.errors import UserError
from wta_sae.presentation import figures, metrics_table


def assert_nothing_is_cut_off(figure) -> None:
    """All that is drawn, labels included, lies on the canvas; in inches."""
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height, drawn
    assert drawn.width > 0.9 * width and drawn.height > 0.9 * height


@pytest.fixture(scope="module")
def figure2():
    return figures.draw_figure2(METRICS, PUBLISHED, TABLE_K)


def test_figure2_has_its_panels_lines_and_points(figure2):
    assert [axes.get_title(loc="left")[:3] for axes in figure2.axes] == ["(a)", "(b)", "(c)", "(d)"]
    # three rules, two baselines; the published points of all but L1; in (b) the uncentred line as well
    assert [len(axes.get_lines()) for axes in figure2.axes] == [6, 7, 5, 6]
    assert all(axes.get_xscale() == "log" for axes in figure2.axes)
    described = figure2.axes[2].get_lines()[0]
    assert described.get_xdata().tolist() == sorted(RATES)
    assert described.get_ydata()[-1] == pytest.approx(3 * (60 - 30 * np.log2(102) / 7))
    assert_nothing_is_cut_off(figure2)


def test_figure2_draws_published_l1_on_the_papers_model_only():
    figure = figures.draw_figure2(METRICS, PUBLISHED, TABLE_K, same_model=True)
    assert figure.axes[2].get_lines()[-1].get_ydata().tolist() == [160, 60]


def test_figure2_shows_values_far_below_zero():
    figure = figures.draw_figure2(synthetic(lowest_variance=-300), PUBLISHED, TABLE_K)
    axes = figure.axes[1]
    assert axes.get_yscale() == "symlog"
    low, high = axes.get_ylim()
    for line in axes.get_lines():
        assert low < np.min(line.get_ydata()) and np.max(line.get_ydata()) < high
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize("missing", ["kl_div_score", "explained_variance_saebench"])
def test_figure2_names_a_missing_metric(missing):
    with pytest.raises(UserError, match=f"'{missing}'.*missing"):
        figures.draw_figure2(METRICS[METRICS["metric"] != missing], PUBLISHED, TABLE_K)


def test_figure1_writes_every_median_and_marks_shared_saes():
    figure = figures.draw_figure1(COSINES, PUBLISHED, metrics_table.winners_by_rate(METRICS))
    (axes,) = figure.axes
    written = [text.get_text() for text in axes.texts if text.get_position()[1] == figures.MEDIANS_AT]
    assert written == [f"{np.median(COSINES[rate]):.2f}" for rate in sorted(RATES)]
    (band,) = axes.patches[:1]
    assert band.get_x() < 0 and 5 < band.get_x() + band.get_width() < 6  # the six lowest rates
    labels = [text.get_text() for text in axes.texts]
    assert labels.count("1") == 6 and "102" in labels and "0.0078" in labels
    assert_nothing_is_cut_off(figure)


def test_figure1_refuses_what_it_cannot_draw():
    with pytest.raises(UserError, match="no encoder-decoder cosines"):
        figures.draw_figure1({}, PUBLISHED, {})
    with pytest.raises(UserError, match="no finite"):
        figures.draw_figure1({0.01: np.array([np.nan])}, PUBLISHED, {0.01: 1})


def test_figures_are_the_same_bytes_twice_and_hold_the_papers_font(figure2, tmp_path):
    again = figures.draw_figure2(METRICS, PUBLISHED, TABLE_K)
    for name, figure in (("one", figure2), ("two", again)):
        figures.save_figure(figure, tmp_path / f"{name}.pdf", tmp_path / f"{name}.png")
    first = (tmp_path / "one.pdf").read_bytes()
    assert first == (tmp_path / "two.pdf").read_bytes()
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert b"STIXGeneral" in first and b"CreationDate" not in first and b"DejaVu" not in first
