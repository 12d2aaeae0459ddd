"""The paper's PDF, from a synthetic table of metrics."""

import shutil
from pathlib import Path

import pytest

from synthetic_metrics import CONFIG, COSINES, MATCHED_RATE, METRICS, PROVENANCE, PUBLISHED, ROOT, TABLE_K, TABLE_RATE
from wta_sae.base.errors import UserError
from wta_sae.machine.files import write_text
from wta_sae.presentation import cosine_figure as figure1
from wta_sae.presentation import frontier_figure as figure3
from wta_sae.presentation import macros as numbers
from wta_sae.presentation import metrics_table, pdf
from wta_sae.presentation import sweep_figure as figure2
from wta_sae.presentation.claims import paper_claims
from wta_sae.presentation.claims_table import table_claims
from wta_sae.presentation.comparison_table import table1
from wta_sae.presentation.contributions_table import table2
from wta_sae.presentation.matched_table import table_matched
from wta_sae.presentation.published import read_contributions
from wta_sae.presentation.published_table import table_published
from wta_sae.presentation.settings import scale_of

needs_latex = pytest.mark.skipif(not shutil.which("latexmk"), reason="latexmk is not installed")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A folder with all that paper/main.tex inputs."""
    folder = tmp_path_factory.mktemp("results")
    write_text(folder / "table1.tex", table1(METRICS, PUBLISHED, TABLE_RATE, TABLE_K))
    write_text(folder / "table_matched.tex", table_matched(METRICS, MATCHED_RATE, TABLE_K))
    write_text(folder / "table_published.tex", table_published(METRICS, PUBLISHED, TABLE_RATE, TABLE_K))
    write_text(folder / "table2.tex", table2(read_contributions(ROOT / "paper" / "contributions.yaml")))
    write_text(folder / "table_claims.tex", table_claims(paper_claims(scale_of(CONFIG), METRICS, PUBLISHED)))
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
