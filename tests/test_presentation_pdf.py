"""The paper's PDF, from a synthetic table of metrics."""

import shutil
from pathlib import Path

import pytest

from synthetic_metrics import CONFIG, COSINES, MATCHED_RATE, METRICS, PROVENANCE, PUBLISHED, ROOT, TABLE_K, TABLE_RATE
from wta_sae.errors import UserError
from wta_sae.presentation import claims_table, figure1, figure2, figure3, metrics_table, numbers, pdf, tables

needs_latex = pytest.mark.skipif(not shutil.which("latexmk"), reason="latexmk is not installed")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A folder with all that paper/main.tex inputs."""
    folder = tmp_path_factory.mktemp("results")
    tables.write_table1(folder / "table1.tex", METRICS, PUBLISHED, TABLE_RATE, TABLE_K)
    tables.write_table_matched(folder / "table_matched.tex", METRICS, MATCHED_RATE, TABLE_K)
    tables.write_table_published(folder / "table_published.tex", METRICS, PUBLISHED, TABLE_RATE, TABLE_K)
    tables.write_table2(folder / "table2.tex", metrics_table.read_contributions(ROOT / "paper" / "contributions.yaml"))
    claims_table.write_table_claims(folder / "table_claims.tex", CONFIG, METRICS, PUBLISHED)
    numbers.write_numbers(folder / "numbers.tex", CONFIG, METRICS, PUBLISHED, PROVENANCE)
    winners = metrics_table.winners_by_rate(METRICS)
    figure1.write_figure1(folder / "figure1.pdf", folder / "figure1.png", COSINES, PUBLISHED, winners)
    figure2.write_figure2(folder / "figure2.pdf", folder / "figure2.png", METRICS, PUBLISHED, TABLE_K)
    figure3.write_figure3(folder / "figure3.pdf", folder / "figure3.png", METRICS, TABLE_K)
    return folder


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
