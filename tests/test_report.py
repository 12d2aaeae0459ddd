"""What the report has beside the paper's artifacts: training curves, and pages of JSON files."""

import pandas as pd
import pytest
import torch

from wta_sae.__main__ import main
from wta_sae.base.errors import UserError
from wta_sae.machine.files import write_json
from wta_sae.presentation.curves_figure import LOWEST_SHOWN, TrainingCurve, draw_training_curves
from wta_sae.presentation.html_templates import values_page
from wta_sae.sae.sae import SAE
from wta_sae.sae.save import save_sae

ROWS = pd.DataFrame({"step": [10, 20], "loss": [2.0, 1.0], "l0": [4.0, 5.0], "explained_variance": [-3.0, 0.5], "dead": [0, 8]})


def lines(axes):
    return [line.get_ydata().tolist() for line in axes.get_lines()]


def test_a_column_has_a_variant_and_a_line_each_of_its_saes():
    kinds = (("wta", "k5", False), ("topk", "k4", False), ("wta", "k5", False), ("wta", "k16-zipf1", True))
    figure = draw_training_curves([TrainingCurve(variant, kind, 16, known, ROWS) for variant, kind, known in kinds])
    real, synthetic = figure.subfigs
    titles = [axes.get_title(loc="left") for axes in real.axes]
    assert titles == ["WTA", "TopK", "", "", "", ""]
    explained, _, l0, _, dead, _ = real.axes
    assert lines(explained) == [[-3, 0.5]] * 2 and explained.get_ylim()[0] == LOWEST_SHOWN
    assert lines(l0) == [[4, 5]] * 2 and lines(dead) == [[0, 50]] * 2  # 8 of 16
    assert [text.get_text() for text in dead.get_legend().get_texts()] == ["k5"]
    assert "synthetic" in synthetic.get_suptitle() and [len(axes.get_lines()) for axes in synthetic.axes[:2]] == [1, 0]
    with pytest.raises(UserError, match="training curves: none"):
        draw_training_curves([])


def test_the_stage_tells_saes_apart_by_their_names_without_the_seed(tmp_path):
    sae = SAE(torch.eye(3), torch.zeros(3), torch.eye(3), torch.zeros(3), "topk", k=1)
    for name, seed in (("topk-k1", 42), ("topk-k1-seed43", 43)):
        metadata = {"variant": "topk", "seed": seed, "training": {"latents": 3}}
        save_sae(tmp_path / name, sae, {}, metadata, curve=ROWS)
    figures = ["--pdf", str(tmp_path / "a.pdf"), "--png", str(tmp_path / "a.png")]
    assert main(["training-curves", "--saes", *(str(tmp_path / name) for name in ("topk-k1", "topk-k1-seed43")), *figures]) == 0
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_page_shows_all_values_of_a_file_as_text(tmp_path):
    values = {
        "run": "<b>",
        "seeds": [1, 2],
        "pairs": [["a", "b"], ["c", "d"]],
        "foreign": {},
        "text": {"none": None, "on": True, "models": [{"name": "a"}, {"name": "b"}]},
    }
    write_json(tmp_path / "values.json", values)
    words = ["--file", str(tmp_path / "values.json"), "--title", "What & why", "--out", str(tmp_path / "page.html")]
    assert main(["show-values", *words]) == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page == values_page("What & why", values)
    text = "".join(page.split())
    for part in (
        "<h1>What&amp;why</h1>",
        '<thscope="row">run</th><td>&lt;b&gt;',
        "<td>1,2</td>",
        "<td>a,b;c,d</td>",
        '>foreign</th><td><spanclass="faint">none',
        ">none</span>",
        "<td>true",
        "<td>b",
    ):
        assert part in text, part
