"""The tables of the paper, from a synthetic table of metrics."""

import re

import pytest

from synthetic_metrics import METRICS, PUBLISHED, ROOT, TABLE_K, TABLE_RATE
from wta_sae.presentation import latex, metrics_table, tables


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


def test_table1_has_each_readout_in_its_column():
    text = tables.table1(METRICS, PUBLISHED, TABLE_RATE, TABLE_K)
    assert table_row(text, "$L_0$") == ["Sparsity", "$L_0$", "", "41.48", "16.00", "20.00", "15.40", "16.00"]
    values = ["0.570", "0.465", "0.620", "0.893", r"\textbf{0.912}"]
    assert table_row(text, "Explained variance (centred)")[-5:] == values
    assert table_row(text, "Sparse probing accuracy")[-5:] == [r"\textbf{0.931}"] * 5
    assert "20 winners per latent" in text and "without an SAE: 3.70" in text


def test_a_metric_that_was_not_measured_is_an_em_dash():
    fewer = METRICS[~METRICS["metric"].str.startswith(("scr_", "ce_loss_without"))]
    text = tables.table1(fewer, PUBLISHED, TABLE_RATE, TABLE_K)
    assert table_row(text, "SCR ($n=20$)")[-5:] == ["---"] * 5
    assert "without an SAE: ---" in text
    at_an_untrained_rate = tables.table1(METRICS, PUBLISHED, 0.3, TABLE_K)
    assert table_row(at_an_untrained_rate, "$L_0$")[-5:] == ["---", "---", "---", "15.40", "16.00"]


def test_table_published_sets_printed_beside_rebuilt():
    text = tables.table_published(METRICS, PUBLISHED, TABLE_RATE, TABLE_K)
    expected = ["4.46", "4.27", "4.41", "4.20", "3.38", "3.84", "3.42", "3.82"]
    assert table_row(text, "CE loss with SAE")[1:] == expected
    assert table_row(text, "Fraction alive, rate 0.05")[1:5] == ["0.9975", "0.9980", "0.9980", "0.9980"]
    assert r"\ensuremath{\approx}160" in table_row(text, r"$L_1$, rate \ensuremath{10^{-6}}")
    median = table_row(text, r"Median cosine, rate \ensuremath{5\times 10^{-6}}")
    assert median[1:] == [r"${<}\,0.6$", r"\multicolumn{3}{c}{0.50}", "---", "0.56", "---", "0.56"]
    assert text.count("Explained variance (SAEBench)") == 2  # Table 1's value once, the text's once


def test_every_table_row_has_as_many_cells_as_the_table_has_columns():
    contributions = metrics_table.read_contributions(ROOT / "paper" / "contributions.yaml")
    for text in (
        tables.table1(METRICS, PUBLISHED, TABLE_RATE, TABLE_K),
        tables.table_published(METRICS, PUBLISHED, TABLE_RATE, TABLE_K),
        tables.table2(contributions),
    ):
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
