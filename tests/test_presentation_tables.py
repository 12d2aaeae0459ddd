"""The tables of the paper, from a synthetic table of metrics."""

import math
import re
import shutil

import pytest

from presented import TABLES, presented
from synthetic_metrics import METRICS, ROOT, synthetic
from wta_sae.presentation import cells, pdf
from wta_sae.presentation.estimates import UNMEASURED, Estimate

nan = math.nan
needs_latex = pytest.mark.skipif(not shutil.which("latexmk"), reason="latexmk is not installed")


@pytest.mark.parametrize(
    ("values", "digits", "direction", "expected"),
    [
        ([0.1, 0.3, 0.2], 1, "higher", ["0.1", r"\textbf{0.3}", "0.2"]),
        ([0.1, 0.3, 0.2], 1, "lower", [r"\textbf{0.1}", "0.3", "0.2"]),
        ([0.9312, 0.9309, 0.92], 3, "higher", [r"\textbf{0.931}", r"\textbf{0.931}", "0.920"]),
        ([nan, 0.3, 0.2], 1, "higher", ["---", r"\textbf{0.3}", "0.2"]),
        ([nan, 0.3, nan], 1, "higher", ["---", "0.3", "---"]),
        ([0.1, 0.3, 0.2], 1, "none", ["0.1", "0.3", "0.2"]),
        ([-2.0, -0.5], 1, "higher", [r"\textminus{}2.0", r"\textbf{\textminus{}0.5}"]),
    ],
)
def test_the_best_of_one_seed_is_what_reads_best(values, digits, direction, expected):
    assert cells.bold_best([Estimate(value, nan, 1) for value in values], digits, direction) == expected


def test_the_best_of_several_seeds_is_what_lies_within_one_joint_deviation():
    """0.9 with 0.03 against 0.04 elsewhere: the joint deviation is 0.05."""
    best, near, far = Estimate(0.9, 0.03, 3), Estimate(0.86, 0.04, 3), Estimate(0.84, 0.04, 3)
    assert cells.bold_best([far, near, best], 2, "higher") == ["0.84", r"\textbf{0.86}", r"\textbf{0.90}"]
    assert cells.bold_best([Estimate(0.86, 0.0, 3), best], 2, "higher") == ["0.86", r"\textbf{0.90}"]
    assert cells.bold_best([Estimate(0.88, nan, 1), best], 2, "higher") == [r"\textbf{0.88}", r"\textbf{0.90}"]


def test_a_cell_has_its_deviation_behind_its_mean():
    row = cells.row_cells([Estimate(0.9, 0.0123, 3), Estimate(0.8, nan, 1), UNMEASURED], 2, "none")
    assert row == [r"0.90\,{\scriptsize\color{black!55}\textpm0.01}", "0.80", "---"]


def table_row(text: str, label: str) -> list[str]:
    line = next(line for line in text.splitlines() if f"& {label} &" in line or line.startswith(f"{label} &"))
    return [plain(cell.strip()) for cell in line.removesuffix(r"\\").split("&")]


def plain(cell: str) -> str:
    """A cell as it reads: 0.90 ± 0.01."""
    return re.sub(r"\\,\{\\scriptsize\\color\{black!55\}\\textpm(.*?)\}$", r" ± \1", cell)


def test_table1_has_each_readout_in_its_column():
    text = presented("table1.tex")
    l0 = ["41.48 ± 0.50", "16.00 ± 0.00", "20.00 ± 0.20", "15.40 ± 0.10", "16.00 ± 0.00"]
    assert table_row(text, "$L_0$") == ["Sparsity", "$L_0$", *l0]
    values = ["0.570 ± 0.002", "0.465 ± 0.002", "0.620 ± 0.002", "0.893 ± 0.001", r"\textbf{0.912} ± 0.001"]
    assert table_row(text, r"Explained variance (centred)~$\uparrow$")[-5:] == values
    assert table_row(text, r"Sparse probing accuracy~$\uparrow$")[-5:] == [r"\textbf{0.931} ± 0.000"] * 5
    assert "20 winners per latent" in text and "without an SAE: 3.70" in text
    assert "standard deviation over 3 seeds" in text


def test_table1_of_one_seed_has_no_deviations():
    text = presented("table1.tex", synthetic(seeds=(42,)))
    assert table_row(text, "$L_0$")[-5:] == ["41.48", "16.00", "20.00", "15.40", "16.00"]
    assert r"\textpm" not in text and "One seed." in text


def test_table_matched_compares_the_saes_within_each_rule():
    text = presented("table_matched.tex")
    lines = [line for line in text.splitlines() if line.endswith(r"\\")][1:]
    body = [[plain(cell.strip()) for cell in line.removesuffix(r"\\").split("&")] for line in lines]
    kept = ["the $k$ largest of each token", "all above one cut", "all above their latent's cut"]
    assert [row[0] for row in body if row[0]] == kept
    assert [row[1] for row in body] == ["WTA", "BatchTopK", "TopK"] * 3
    assert [row[2] for row in body] == ["16.00 ± 0.00"] * 3 + ["16.10 ± 0.05"] * 6
    assert [row[3].split(" ± ")[0] for row in body] == [
        *("0.810", "0.880", r"\textbf{0.912}"),
        *("0.700", r"\textbf{0.892}", r"\textbf{0.891}"),  # apart by one seed's deviation each
        *("0.840", r"\textbf{0.871}", "0.860"),
    ]
    assert r"\label{tab:matched}" in text and "0.0078125" in text
    without = presented("table_matched.tex", METRICS[~METRICS["inference"].eq("matched_topk")])
    assert without.count("---") == 12


def test_a_metric_that_was_not_measured_is_an_em_dash():
    fewer = METRICS[~METRICS["metric"].str.startswith(("scr_", "ce_loss_without"))]
    text = presented("table1.tex", fewer)
    assert table_row(text, r"SCR ($n=20$)~$\uparrow$")[-5:] == ["---"] * 5
    assert "without an SAE: ---" in text
    at_an_untrained_rate = presented("table1.tex", rate=0.3)
    assert table_row(at_an_untrained_rate, "$L_0$")[-5:] == ["---", "---", "---", "15.40 ± 0.10", "16.00 ± 0.00"]


def test_table_published_sets_printed_beside_rebuilt():
    text = presented("table_published.tex")
    expected = ["4.46", "4.27", "4.41", "4.20", "3.38", "3.84", "3.42", "3.82"]
    assert table_row(text, "CE loss with SAE")[1:] == expected
    assert table_row(text, "Fraction alive, rate 0.05")[1:5] == ["0.9975", "0.9980", "0.9980", "0.9980"]
    assert r"\ensuremath{\approx}160" in table_row(text, r"$L_1$, rate \ensuremath{10^{-6}}")
    median = table_row(text, r"Median cosine, rate \ensuremath{5\times 10^{-6}}")
    assert median[1:] == [r"${<}\,0.6$", r"\multicolumn{3}{c}{0.50}", "---", "0.56", "---", "0.56"]
    assert text.count("Explained variance (SAEBench)") == 2  # Table 1's value once, the text's once


@pytest.mark.parametrize("name", TABLES)
def test_every_table_row_has_as_many_cells_as_the_table_has_columns(name):
    text = presented(name)
    specification = re.search(r"\\begin\{tabular\}\{@\{\}(.*)@\{\}\}", text)[1]
    columns = len(re.sub(r"\{[^}]*\}", "", specification))
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(body) > 3
    for line in body:
        spans = [int(span) for span in re.findall(r"\\multicolumn\{(\d+)\}", line)]
        assert line.count("&") - line.count(r"\&") + 1 + sum(spans) - len(spans) == columns, line


@needs_latex
def test_every_table_is_inside_the_text_width(tmp_path):
    """LaTeX measures: each tabular in a box, an error where the box is wider than the text."""
    preamble = (ROOT / "paper" / "main.tex").read_text(encoding="utf-8").split(r"\input{numbers}")[0]
    boxes = [
        rf"\setbox0\hbox{{\small{gap}{tabular}}}\ifdim\wd0>\textwidth\errmessage{{{name.removesuffix('.tex')} is too wide}}\fi"
        for name in TABLES
        for gap, tabular in re.findall(
            r"(\\setlength\{\\tabcolsep\}\{[^}]*\}).*(\\begin\{tabular\}.*\\end\{tabular\})", presented(name), flags=re.DOTALL
        )
    ]
    assert len(boxes) == len(TABLES)
    body = "\n".join(["\\begin{document}", *boxes, "Measured.", "\\end{document}", ""])
    (tmp_path / "widths.tex").write_text(preamble + body, encoding="utf-8")
    pdf.build_pdf(tmp_path / "widths.tex", [], tmp_path / "widths.pdf")


def test_table2_names_every_author_and_escapes():
    person = {"name": "A_B", "contributions": "50% & more"}
    text = presented("table2.tex", contributions={"caption": "Who #1", "contributors": [person]})
    assert r"\textbf{A\_B} & 50\% \& more \\" in text and r"\caption{Who \#1}" in text
