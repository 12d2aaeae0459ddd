"""Tables, figures, numbers and PDF of the paper, from a synthetic table of metrics with the default run's shape."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from synthetic_metrics import BATCH_TOKENS, RATES, TABLE_K, TABLE_RATE, rows, synthetic, table
from wta_sae.errors import UserError
from wta_sae.presentation import figures, latex, metrics_table, numbers, pdf, tables
from wta_sae.variants import winners_per_latent

ROOT = Path(__file__).parents[1]
needs_latex = pytest.mark.skipif(not shutil.which("latexmk"), reason="latexmk is not installed")


@pytest.fixture(scope="module")
def metrics() -> pd.DataFrame:
    return synthetic()


@pytest.fixture(scope="module")
def published() -> dict:
    return metrics_table.read_published(ROOT / "paper" / "published.yaml")


@pytest.fixture(scope="module")
def config() -> dict:
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    return config | {"paper": {"table1_rate": TABLE_RATE, "table1_k": TABLE_K}}


@pytest.fixture(scope="module")
def cosines() -> dict[float, np.ndarray]:
    generator = np.random.default_rng(0)
    of = {winners_per_latent(rate, BATCH_TOKENS): None for rate in RATES}
    of = {winners: np.clip(generator.normal(0.5 + 0.06 * i, 0.1, 300), -1, 1) for i, winners in enumerate(of)}
    return {rate: of[winners_per_latent(rate, BATCH_TOKENS)] for rate in RATES}


@pytest.fixture(scope="module")
def figure2(metrics, published):
    return figures.draw_figure2(metrics, published, TABLE_K)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, metrics, published, config, cosines, figure2) -> Path:
    """A folder with all that paper/main.tex inputs."""
    folder = tmp_path_factory.mktemp("results")
    tables.write_table1(folder / "table1.tex", metrics, published, TABLE_RATE, TABLE_K)
    tables.write_table_published(folder / "table_published.tex", metrics, published, TABLE_RATE, TABLE_K)
    tables.write_table2(folder / "table2.tex", metrics_table.read_contributions(ROOT / "paper" / "contributions.yaml"))
    numbers.write_numbers(folder / "numbers.tex", config, metrics, published)
    winners = metrics_table.winners_by_rate(metrics)
    figures.write_figure1(folder / "figure1.pdf", folder / "figure1.png", cosines, published, winners)
    figures.save_figure(figure2, folder / "figure2.pdf", folder / "figure2.png")
    return folder


# Numbers and text in LaTeX


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.6789, 2, "0.68"),
        (-0.5, 1, r"\textminus{}0.5"),
        (-0.0004, 2, "0.00"),
        (None, 2, "---"),
        (float("nan"), 2, "---"),
        (-12345.6, 2, r"\textminus{}12{,}346"),
        (float("inf"), 1, r"\ensuremath{\infty}"),
    ],
)
def test_number(value, digits, text):
    assert latex.number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-6, r"\ensuremath{10^{-6}}"),
        (5e-6, r"\ensuremath{5\times 10^{-6}}"),
        (1e-3, "0.001"),
        (0.0078125, "0.0078125"),
        (0.05, "0.05"),
        (1, "1"),
    ],
)
def test_rate(value, text):
    assert latex.rate(value) == text


def test_count_shortest_and_listing():
    assert latex.count(100000000) == "100{,}000{,}000"
    assert (latex.shortest(20.0, 1), latex.shortest(20.25, 1)) == ("20", "20.2")
    assert latex.listing(["a"]) == "a"
    assert latex.listing(["a", "b", "c"]) == "a, b and c"
    assert latex.listing([]) == "---"


def test_escape_makes_every_special_character_literal():
    assert latex.escape(r"batch_topk & 5% \ {x} #1 ~ ^ $") == (
        r"batch\_topk \& 5\% \textbackslash{} \{x\} \#1 \textasciitilde{} \textasciicircum{} \$"
    )


# Selecting values


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


def test_a_readout_is_taken_at_its_rate_or_k(metrics):
    described, topk = metrics_table.WTA_READOUTS[0], metrics_table.BASELINE_READOUTS[1]
    assert metrics_table.readout_value(metrics, topk, "l0", TABLE_RATE, 64) == 64
    assert metrics_table.readout_spread(metrics, topk, "l0", TABLE_RATE, 64) is None
    assert metrics_table.readout_spread(metrics, topk, "explained_variance", TABLE_RATE, 16) == pytest.approx(0.001)
    assert metrics_table.readout_spread(metrics, described, "explained_variance", TABLE_RATE, 16) == pytest.approx(0.002)
    assert metrics_table.weights_value(metrics, topk, "encoder_decoder_cosine_sim_median", TABLE_RATE, 4) == 0.516


def test_ablations_stand_apart(metrics):
    select = {"variant": "wta", "inference": "described", "metric": "explained_variance", "sparsity_rate": TABLE_RATE}
    ordinary = metrics_table.value(metrics, **select)
    assert metrics_table.value(metrics, **select, ablation="gate") == pytest.approx(ordinary - 0.03)
    assert metrics_table.value(metrics, **select, ablation="colour") is None


def test_value_refuses_to_choose_between_two_saes():
    both = table(rows("topk-k16", "topk", "topk", {"l0": 16}) + rows("topk-k32", "topk", "topk", {"l0": 32}))
    with pytest.raises(UserError, match=r"'l0'.*topk-k16, topk-k32"):
        metrics_table.value(both, variant="topk", inference="topk", metric="l0")


def test_value_takes_the_nominal_rate_even_where_rates_share_an_sae(metrics):
    assert metrics_table.value(metrics, variant="wta", inference="per_latent", metric="l0", sparsity_rate=0.01) == 20
    assert metrics_table.value(metrics, variant="wta", inference="per_latent", metric="l0", sparsity_rate=5e-6) == 1


def test_rates_that_share_an_sae_stand_together(metrics):
    winners = metrics_table.winners_by_rate(metrics)
    assert list(winners.values()) == [1, 1, 1, 1, 1, 1, 2, 10, 16, 20, 102]
    assert [len(group) for group in metrics_table.runs_of_shared_saes(winners)] == [6, 1, 1, 1, 1, 1]


def test_read_metrics_survives_the_round_trip_and_names_what_is_wrong(tmp_path, metrics):
    path = tmp_path / "metrics.csv"
    metrics.to_csv(path, index=False)
    pd.testing.assert_frame_equal(metrics_table.read_metrics(path), metrics, check_dtype=False)
    with pytest.raises(UserError, match="no such file"):
        metrics_table.read_metrics(tmp_path / "absent.csv")
    metrics.drop(columns="seed").to_csv(path, index=False)
    with pytest.raises(UserError, match="lacks the column 'seed'"):
        metrics_table.read_metrics(path)
    metrics.assign(value="much").to_csv(path, index=False)
    with pytest.raises(UserError, match="not a number"):
        metrics_table.read_metrics(path)


# The published numbers


def test_published_yaml_holds_table_1_as_printed(published):
    printed = {
        row["metric"]: [latex.number(row["published"][name], row["digits"]) for name in ("wta", "batch_topk", "topk")]
        for row in published["rows"]
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


def test_published_yaml_agrees_with_itself(published):
    setup = published["setup"]
    assert setup["steps"] == setup["tokens"] // setup["batch_tokens"]
    printed = next(row["published"] for row in published["rows"] if row["metric"] == "ce_loss_with_sae")
    assert all(loss > setup["ce_loss_without_sae"] for loss in printed.values())
    assert {row["direction"] for row in published["rows"]} == {"higher", "lower", "none"}
    named = [row["macro"] for row in published["rows"]]
    assert len(set(named)) == len(named) and all(name.isalpha() for name in named)
    points = [point for entry in published["figure2"] for point in entry["points"]]
    statements = points + published["figure1"]["medians"]
    assert all(item["source"] and isinstance(item["approximate"], bool) for item in statements)
    assert all(setup["lowest_rate"] <= point["rate"] <= setup["highest_rate"] for point in points)


# Tables


@pytest.mark.parametrize(
    ("values", "digits", "direction", "expected"),
    [
        ([0.1, 0.3, 0.2], 1, "higher", ["0.1", r"\textbf{0.3}", "0.2"]),
        ([0.1, 0.3, 0.2], 1, "lower", [r"\textbf{0.1}", "0.3", "0.2"]),
        ([0.9312, 0.9309, 0.92], 3, "higher", [r"\textbf{0.931}", r"\textbf{0.931}", "0.920"]),
        ([None, 0.3, 0.2], 1, "higher", ["---", r"\textbf{0.3}", "0.2"]),
        ([None, 0.3, None], 1, "higher", ["---", "0.3", "---"]),
        ([0.1, 0.3, 0.2], 1, "none", ["0.1", "0.3", "0.2"]),
        ([-2.0, -0.5], 1, "higher", [r"\textminus{}2.0", r"\textbf{\textminus{}0.5}"]),
    ],
)
def test_bold_best(values, digits, direction, expected):
    assert tables.bold_best([latex.number(value, digits) for value in values], values, direction) == expected


def table_row(text: str, label: str) -> list[str]:
    line = next(line for line in text.splitlines() if f"& {label} &" in line or line.startswith(f"{label} &"))
    return [cell.strip() for cell in line.removesuffix(r"\\").split("&")]


def test_table1_has_each_readout_in_its_column(metrics, published):
    text = tables.table1(metrics, published, TABLE_RATE, TABLE_K)
    assert table_row(text, "$L_0$") == ["Sparsity", "$L_0$", "", "41.48", "16.00", "20.00", "15.40", "16.00"]
    values = ["0.570", "0.465", "0.620", "0.893", r"\textbf{0.912}"]
    assert table_row(text, "Explained variance (centred)")[-5:] == values
    assert table_row(text, "Sparse probing accuracy")[-5:] == [r"\textbf{0.931}"] * 5
    assert "20 winners per latent" in text and "without an SAE: 3.70" in text


def test_a_metric_that_was_not_measured_is_an_em_dash(metrics, published):
    fewer = metrics[~metrics["metric"].str.startswith(("scr_", "ce_loss_without"))]
    text = tables.table1(fewer, published, TABLE_RATE, TABLE_K)
    assert table_row(text, "SCR ($n=20$)")[-5:] == ["---"] * 5
    assert "without an SAE: ---" in text
    at_an_untrained_rate = tables.table1(metrics, published, 0.3, TABLE_K)
    assert table_row(at_an_untrained_rate, "$L_0$")[-5:] == ["---", "---", "---", "15.40", "16.00"]


def test_table_published_sets_printed_beside_rebuilt(metrics, published):
    text = tables.table_published(metrics, published, TABLE_RATE, TABLE_K)
    expected = ["4.46", "4.27", "4.41", "4.20", "3.38", "3.84", "3.42", "3.82"]
    assert table_row(text, "CE loss with SAE")[1:] == expected
    assert table_row(text, "Fraction alive, rate 0.05")[1:5] == ["0.9975", "0.9980", "0.9980", "0.9980"]
    assert r"\ensuremath{\approx}160" in table_row(text, r"$L_1$, rate \ensuremath{10^{-6}}")
    median = table_row(text, r"Median cosine, rate \ensuremath{5\times 10^{-6}}")
    assert median[1:] == [r"${<}\,0.6$", r"\multicolumn{3}{c}{0.50}", "---", "0.56", "---", "0.56"]
    assert text.count("Explained variance (SAEBench)") == 2  # Table 1's value once, the text's once


def test_every_table_row_has_as_many_cells_as_the_table_has_columns(inputs):
    for name in ("table1", "table_published", "table2"):
        text = (inputs / f"{name}.tex").read_text(encoding="utf-8")
        specification = re.search(r"\\begin\{tabular\}\{@\{\}(.*)@\{\}\}", text)[1]
        columns = len(re.sub(r"\{[^}]*\}", "", specification))
        body = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert len(body) > 3
        for line in body:
            spans = [int(span) for span in re.findall(r"\\multicolumn\{(\d+)\}", line)]
            assert line.count("&") - line.count(r"\&") + 1 + sum(spans) - len(spans) == columns, line


def test_table2_names_every_author_and_escapes():
    person = {"name": "A_B", "contributions": "50% & more"}
    text = tables.table2({"caption": "Who #1", "contributors": [person]})
    assert r"\textbf{A\_B} & 50\% \& more \\" in text and r"\caption{Who \#1}" in text


# Numbers of the prose


def macros_of(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\\newcommand\{\\(\w+)\}\{(.*)\}$", text, flags=re.MULTILINE))


def test_every_macro_of_the_paper_is_generated(inputs):
    generated = (inputs / "numbers.tex").read_text(encoding="utf-8")
    defined = macros_of(generated)
    main = (ROOT / "paper" / "main.tex").read_text(encoding="utf-8")
    used = set(re.findall(r"\\([A-Z]\w*)", main)) - set(re.findall(r"\\newcommand\{\\(\w+)\}", main))
    assert len(used) > 80
    assert used - set(defined) == set()
    assert all(name.isalpha() for name in defined)
    assert len(defined) == generated.count(r"\newcommand")  # no name twice


def test_no_number_of_a_run_is_typed_into_the_paper():
    body = (ROOT / "paper" / "main.tex").read_text(encoding="utf-8").split(r"\begin{document}")[1]
    body = re.sub(r"\\(cite\w?|ref|label)\{[^}]*\}", "", body)
    assert re.findall(r"\d+\.\d+|\d{2,}", body) == []


def test_numbers_come_from_config_metrics_and_published(config, metrics, published):
    macros = macros_of(numbers.numbers_tex(config, metrics, published))
    expected = {
        "Latents": "2{,}048",
        "TrainingSteps": "976",
        "KShare": "1/128",
        "MatchedRate": "0.0078125",
        "TableWinners": "20",
        "TableBudget": "20",
        "ReleasedLZero": "16",
        "SharedRateCount": "6",
        "WtaSaeCount": "6",
        "LowestRate": r"\ensuremath{10^{-6}}",
        "WtaPerLatentEvCentred": "0.620",
        "EvCentredBatchTopkMinusWtaPerLatent": "0.273",
        "EvCentredPerLatentAgainstReleased": "above",
        "WtaReleasedKlScorePeakRate": "0.005",
        "MatchedWtaPerLatentLZero": "16.0",
        "MedianCosineTrend": "never falls as the rate grows",
        "PublishedTopkCeScore": "0.971",
        "PublishedTableWinners": "81",
        "PublishedReleasedLZero": "64",
    }
    assert {name: macros[name] for name in expected} == expected
    changed = {**config, "training": {**config["training"], "latents": 4096}}
    assert macros_of(numbers.numbers_tex(changed, metrics, published))["KShare"] == "1/256"


def test_numbers_name_the_missing_key(config, metrics, published):
    without = {**config, "training": {key: value for key, value in config["training"].items() if key != "latents"}}
    with pytest.raises(UserError, match=r"training\.latents"):
        numbers.numbers_tex(without, metrics, published)


def test_numbers_of_a_run_that_evaluates_less_are_dashes(config, metrics, published):
    core = metrics[metrics["metric"].isin(["l0", "explained_variance"])]
    macros = macros_of(numbers.numbers_tex(config, core, published))
    assert macros["WtaDescribedScr"] == macros["CeWithoutSae"] == macros["WtaReleasedKlScorePeakRate"] == "---"
    assert macros["CeScorePerLatentAgainstReleased"] == "not comparable with"


def test_descriptions_follow_the_sources(config):
    train, hub = config["language_model"], {"source": "hub", "hub": {"name": "EleutherAI/pythia-70m_x"}}
    assert "4 blocks, width 128 and a vocabulary of 4{,}096" in numbers.model_description({"language_model": train})
    assert r"\texttt{EleutherAI/pythia-70m\_x}" in numbers.model_description({"language_model": hub})
    local = {"language_model": {"source": "path", "path": "/somewhere/of/mine/gpt"}}
    assert numbers.model_description(local).endswith(r"\texttt{gpt}")  # no path of this machine in the paper
    assert r"\texttt{numpy}" in numbers.text_description(config)
    assert "user's own" in numbers.text_description({"text": {"source": "files"}})


@pytest.mark.parametrize(
    ("left", "right", "word"),
    [(0.8, 0.7, "above"), (0.7, 0.8, "below"), (0.70001, 0.7, "equal to"), (None, 0.7, "not comparable with")],
)
def test_comparing_word(left, right, word):
    assert numbers.comparing_word(left, right, 3) == word


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.1, 0.1, 0.3], "never falls as the rate grows"),
        ([0.3, 0.2, 0.2], "never rises as the rate grows"),
        ([0.1, 0.3, 0.2], "rises and falls along the sweep"),
        ([0.101, 0.102], "stays the same"),
        ([0.1, None], "was not measured at every rate"),
    ],
)
def test_trend(values, words):
    assert numbers.trend(values, 2) == words


# Figures


def assert_nothing_is_cut_off(figure) -> None:
    """All that is drawn, labels included, lies on the canvas; in inches."""
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height, drawn
    assert drawn.width > 0.9 * width and drawn.height > 0.9 * height


def test_figure2_has_its_panels_lines_and_points(figure2):
    assert [axes.get_title(loc="left")[:3] for axes in figure2.axes] == ["(a)", "(b)", "(c)", "(d)"]
    # three rules, two baselines; the published points of all but L1; in (b) the uncentred line as well
    assert [len(axes.get_lines()) for axes in figure2.axes] == [6, 7, 5, 6]
    assert all(axes.get_xscale() == "log" for axes in figure2.axes)
    described = figure2.axes[2].get_lines()[0]
    assert described.get_xdata().tolist() == sorted(RATES)
    assert described.get_ydata()[-1] == pytest.approx(3 * (60 - 30 * np.log2(102) / 7))
    assert_nothing_is_cut_off(figure2)


def test_figure2_draws_published_l1_on_the_papers_model_only(metrics, published):
    figure = figures.draw_figure2(metrics, published, TABLE_K, same_model=True)
    assert figure.axes[2].get_lines()[-1].get_ydata().tolist() == [160, 60]


def test_figure2_shows_values_far_below_zero(published):
    figure = figures.draw_figure2(synthetic(lowest_variance=-300), published, TABLE_K)
    axes = figure.axes[1]
    assert axes.get_yscale() == "symlog"
    low, high = axes.get_ylim()
    for line in axes.get_lines():
        assert low < np.min(line.get_ydata()) and np.max(line.get_ydata()) < high
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize("missing", ["kl_div_score", "explained_variance_saebench"])
def test_figure2_names_a_missing_metric(metrics, published, missing):
    with pytest.raises(UserError, match=f"'{missing}'.*missing"):
        figures.draw_figure2(metrics[metrics["metric"] != missing], published, TABLE_K)


def test_figure1_writes_every_median_and_marks_shared_saes(cosines, published, metrics):
    figure = figures.draw_figure1(cosines, published, metrics_table.winners_by_rate(metrics))
    (axes,) = figure.axes
    written = [text.get_text() for text in axes.texts if text.get_position()[1] == figures.MEDIANS_AT]
    assert written == [f"{np.median(cosines[rate]):.2f}" for rate in sorted(RATES)]
    (band,) = axes.patches[:1]
    assert band.get_x() < 0 and 5 < band.get_x() + band.get_width() < 6  # the six lowest rates
    labels = [text.get_text() for text in axes.texts]
    assert labels.count("1") == 6 and "102" in labels and "0.0078" in labels
    assert_nothing_is_cut_off(figure)


def test_figure1_refuses_what_it_cannot_draw(published):
    with pytest.raises(UserError, match="no encoder-decoder cosines"):
        figures.draw_figure1({}, published, {})
    with pytest.raises(UserError, match="no finite"):
        figures.draw_figure1({0.01: np.array([np.nan])}, published, {0.01: 1})


def test_figures_are_the_same_bytes_twice_and_hold_the_papers_font(figure2, inputs, metrics, published, tmp_path):
    again = figures.draw_figure2(metrics, published, TABLE_K)
    figures.save_figure(again, tmp_path / "f.pdf", tmp_path / "f.png")
    first = (inputs / "figure2.pdf").read_bytes()
    assert first == (tmp_path / "f.pdf").read_bytes()
    assert (inputs / "figure2.png").read_bytes() == (tmp_path / "f.png").read_bytes()
    assert b"STIXGeneral" in first and b"CreationDate" not in first and b"DejaVu" not in first


# PDF


@needs_latex
def test_the_paper_builds_to_the_same_bytes_twice(inputs, tmp_path):
    for name in ("one", "two"):
        pdf.build_pdf(ROOT / "paper" / "main.tex", [inputs], tmp_path / name / "paper.pdf")
    first = (tmp_path / "one" / "paper.pdf").read_bytes()
    assert first.startswith(b"%PDF") and first == (tmp_path / "two" / "paper.pdf").read_bytes()
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["paper.pdf"]


@needs_latex
def test_a_latex_error_is_one_line_with_the_log(tmp_path):
    main = tmp_path / "paper" / "main.tex"
    main.parent.mkdir()
    main.write_text("\\documentclass{article}\n\\begin{document}\n\\Unheard\n\\end{document}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"! Undefined control sequence\. l\.3 .Unheard") as raised:
        pdf.build_pdf(main, [], tmp_path / "paper.pdf")
    assert "\n" not in str(raised.value) and str(tmp_path / "paper.log") in str(raised.value)
    assert "Undefined" in (tmp_path / "paper.log").read_text(encoding="utf-8")
    assert not (tmp_path / "paper.pdf").exists()


def test_without_latex_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="latexmk texlive-latex-recommended texlive-fonts-recommended lmodern") as raised:
        pdf.build_pdf(ROOT / "paper" / "main.tex", [tmp_path], tmp_path / "paper.pdf")
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
