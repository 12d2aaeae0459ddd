"""docs/new-variant.md, applied word for word to a checkout whose tiny run is complete."""

import json
import re
import subprocess
import sys

import pandas as pd
import pytest

from workflow import ROOT, TINY, by_hand, planned_jobs, planned_saes, snakemake
from wta_sae.presentation.notation import LATEX
from wta_sae.presentation.run_metrics import MATCHED_RULES
from wta_sae.variants.registry import VARIANTS

PAGE = (ROOT / "docs/new-variant.md").read_text()
# A file's name at the start of a line, or a block: each block is of the file that was named last.
PARTS = re.compile(r"^`([\w./]+\.\w+)`|^```(python|diff)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEW = {"token_floor": "Token floor", "apart_topk": "TopK apart"}
MATCHED_COLUMNS = (("l0", 2), ("explained_variance", 3), ("ce_loss_score", 3), ("kl_div_score", 3))


def apply_page(checkout):
    """Writes the page's files and makes its changes; the files that are new, and those that were there."""
    written, changed, file = set(), set(), None
    for name, kind, text in PARTS.findall(PAGE):
        if name:
            file = checkout / name
        elif kind == "python":
            assert not file.exists()
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            written.add(name_of(file, checkout))
        else:
            change(file, text)
            changed.add(name_of(file, checkout))
    return written, changed


def name_of(file, checkout):
    return file.relative_to(checkout).as_posix()


def change(file, diff):
    """What the unchanged and the taken lines say stands in the file once; the unchanged and the new ones take its place."""
    before, after = ("".join(f"{line[1:]}\n" for line in diff.splitlines() if line[0] in f" {sign}") for sign in "-+")
    content = file.read_text()
    assert content.count(before) == 1, (file, before)
    file.write_text(content.replace(before, after))


def test_the_page_touches_a_folder_a_test_the_registry_and_the_config(tmp_path):
    for name in ("src/wta_sae/variants/registry.py", "config.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "tests").mkdir()
    written, changed = apply_page(tmp_path)
    parts = ("__init__", "spec", "rule")
    assert written == {
        *(f"src/wta_sae/variants/{name}/{part}.py" for name in NEW for part in parts),
        *(f"tests/test_variant_{name}.py" for name in NEW),
    }
    assert changed == {"src/wta_sae/variants/registry.py", "config.yaml"}
    assert not set(NEW) & set(VARIANTS)


@pytest.mark.slow
def test_the_page_leads_through_to_the_paper_and_trains_no_other_sae(checkout):
    results, weights = checkout / "results", "results/tiny/sae/*/sae_weights.safetensors"
    before = {file: file.read_bytes() for file in (results / name for name in ("table1.tex", "figure2.png", "figure1.png"))}
    trained_before = {file: file.stat().st_mtime_ns for file in checkout.glob(weights)}
    apply_page(checkout)
    suites = [f"tests/test_{name}.py" for name in ("selection", "fast_selection", "training")]
    suites += [f"tests/test_variant_{name}.py" for name in NEW]
    for command in (["pytest", "-q", "-n", "0", *suites], ["ruff", "check"], ["ruff", "format", "--check"]):
        process = by_hand(checkout, sys.executable, "-m", *command)
        assert process.returncode == 0, process.stdout

    planned = snakemake(checkout, "--dry-run", *TINY)
    saes = {f"{name}-{rest}" for name in NEW for rest in ("k4", "k4-seed43", "k64")}
    jobs = {"train_sae": 6, "evaluate_tokens": 6, "calibrate": 4, "evaluate_matched": 4}
    jobs |= {"evaluate_matched_texts": 4, "evaluate_stability": 2}
    for rule, count in jobs.items():
        found = planned_saes(planned, rule)
        assert len(found) == count and set(found) <= saes, rule
    assert [planned_jobs(planned)[rule] for rule in ("train_planted_saes", "evaluate_truth")] == [2, 2]
    presenting = {
        "record_config",
        "record_provenance",
        "collect_metrics",
        "table",
        "figure",
        "report",
        "show_values",
        "paper",
        "artifact",
    }
    assert set(planned_jobs(planned)) == {*jobs, "train_planted_saes", "evaluate_truth"} | presenting

    process = snakemake(checkout, *TINY)
    assert process.returncode == 0, process.stdout + process.stderr
    assert {file: file.stat().st_mtime_ns for file in trained_before} == trained_before
    for file, content in before.items():
        assert file.read_bytes() == content, file.name
    assert_the_cells_are_the_metrics(results)
    assert_the_variants_are_seen(results)
    options = [json.loads((results / f"tiny/sae/{name}-k4/cfg.json").read_text())["metadata"]["options"] for name in NEW]
    assert options == [{"floor": 2}, {"weight": 0.1}]


def assert_the_cells_are_the_metrics(results):
    metrics = pd.read_csv(results / "tiny/metrics.csv")
    new = metrics[metrics["variant"].isin(NEW)].dropna(subset=["inference"])
    rules = new.groupby("variant")["inference"].agg(set).to_dict()
    assert rules == {"token_floor": {"per_latent", *MATCHED_RULES}, "apart_topk": {"topk", *MATCHED_RULES}}
    on_synthetic = new["zipf_exponent"].notna()
    assert (new[on_synthetic].groupby("variant")["sae"].nunique() == 4).all()  # two exponents, two seeds
    new = new[~on_synthetic]
    own = new[new["inference"].isin(["per_latent", "topk"])].pivot_table(index="sae", columns="metric", values="value")
    assert (own["l0_budget"] == [4, 64, 4, 64]).all()  # further seeds are read out at equal L0 alone
    assert own.loc["apart_topk-k4", "l0"] == pytest.approx(4, abs=0.01)
    on_texts = new[new["metric"].isin(["sae_test_accuracy", "tpp_threshold_20_total_metric"])]
    assert (on_texts.groupby("variant")["sae"].agg(set) == [{f"{name}-k4", f"{name}-k4-seed43"} for name in sorted(NEW)]).all()
    assert set(on_texts["inference"]) == {"matched_per_latent", "matched_topk"} and not on_texts["value"].isna().any()

    means = new[new["sae"].str.contains("-k4")].groupby(["variant", "inference", "metric"])["value"].mean()
    lines = (results / "table_matched.tex").read_text().splitlines()
    rows = [[cell.strip() for cell in line.removesuffix(r"\\").split("&")] for line in lines if line.count("&") == 5]
    assert [row[1] for row in rows[1:]] == ["WTA", "BatchTopK", "TopK", *NEW.values()] * 3
    for variant, title in NEW.items():
        for rule, row in zip(MATCHED_RULES, (row for row in rows if row[1] == title), strict=True):
            for cell, (metric, digits) in zip(row[2:], MATCHED_COLUMNS, strict=True):
                printed = re.sub(r"\\textbf\{(.*?)\}", r"\1", cell.split(r"\,{\scriptsize")[0])
                assert printed == LATEX.number(means[variant, rule, metric], digits), (variant, rule, metric)


def assert_the_variants_are_seen(results):
    for file in ("figure3.pdf", "figure4.pdf", "figure5.pdf", "paper.pdf"):
        text = subprocess.run(["pdftotext", results / file, "-"], capture_output=True, text=True, check=True).stdout
        assert all(title in text for title in NEW.values()), file
    assert "Token floor" not in (results / "table1.tex").read_text()
