"""The paper's PDF, from a synthetic table of metrics."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from presented import TABLES, presented
from synthetic_metrics import COSINES, METRICS, PUBLISHED, ROOT, TABLE_K, rows, run_of
from wta_sae.base.errors import UserError
from wta_sae.machine.files import write_text
from wta_sae.presentation import pdf
from wta_sae.presentation.cosine_figure import draw_figure1
from wta_sae.presentation.drawing import save_figure
from wta_sae.presentation.frontier_figure import draw_figure3
from wta_sae.presentation.outlook_figure import draw_figure5
from wta_sae.presentation.run_metrics import RunMetrics
from wta_sae.presentation.sweep_figure import draw_figure2
from wta_sae.presentation.truth_figure import draw_figure4

needs_latex = pytest.mark.skipif(not shutil.which("latexmk"), reason="latexmk is not installed")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """A folder with all that paper/main.tex inputs."""
    folder = tmp_path_factory.mktemp("results")
    far_from_its_budget = rows("adaptive-k16", "adaptive", "per_latent", {"l0": 20.0}, k_per_token=TABLE_K)
    with_another = pd.concat([METRICS, pd.DataFrame(far_from_its_budget)], ignore_index=True)
    for name in (*TABLES, "numbers.tex", "truth.tex", "outlook.tex"):
        write_text(folder / name, presented(name, with_another))
    metrics = RunMetrics(METRICS)
    figures = (
        draw_figure1(COSINES, PUBLISHED, metrics.winners),
        draw_figure2(metrics, PUBLISHED, TABLE_K),
        draw_figure3(metrics, TABLE_K),
        draw_figure4(metrics.synthetic),
        draw_figure5(run_of().outlook),
    )
    for number, figure in enumerate(figures, start=1):
        save_figure(figure, folder / f"figure{number}.pdf", folder / f"figure{number}.png")
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
