"""The files under examples/: the configs are valid ones, and the first and the scripts run for real."""

import csv
import gzip
import itertools
import json
import re
from pathlib import Path

import pytest
import yaml

from workflow import ROOT, by_hand, new_checkout, snakemake
from wta_sae.base.spent import read_spent
from wta_sae.machine.files import read_json
from wta_sae.plan.config import check_config
from wta_sae.plan.feasibility import check_feasible
from wta_sae.plan.labelled_sets import class_sets, concept_pairs, file_options
from wta_sae.text.docstrings import docstring_passages

EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.yaml"))
FEWER = {  # of everything than tests/tiny.yaml, for Table 1 in a minute
    "seeds": [42],
    "ablations": [],
    "text": {"train_contexts": 1000},
    "activations": {"tokens": 20000},
    "saes": {"topk": {"k": [4]}, "batch_topk": {"k": [4]}, "wta": {"rates": [1e-2]}},
}


def merged(base, over):
    """As Snakemake lays one config over another."""
    for key, value in over.items():
        base[key] = merged(base.get(key, {}), value) if isinstance(value, dict) else value
    return base


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_valid_config(name, neox_directory, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").symlink_to(neox_directory)
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    over = yaml.safe_load((ROOT / "examples" / name).read_text())
    if "path" in over.get("language_model", {}):
        over["text"]["context_length"] = 32  # the small model's
        over |= {"activations": {"tokens": 1_000_000}, "training": {"threshold_start_step": 20}}
    config = merged(default, over)
    check_config(config, ROOT / "workflow/schemas/config.schema.yaml")
    check_feasible(config)
    if config["labelled_texts"]["source"] == "files":
        assert [one.classes for one in class_sets(config)] == [("World", "Sports", "Sci/Tech")]
        assert len(concept_pairs(config)) == 1
        assert file_options(config, "news")["labels"] == ["topic", "outlet"]


def test_every_example_is_on_its_page():
    page = (ROOT / "docs/your-own.md").read_text()
    files = sorted(path.name for path in (ROOT / "examples").iterdir())
    assert len(files) == 5
    assert [name for name in files if f"examples/{name}" not in page] == []


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """With texts, labels and a smaller config of a user's own."""
    directory = new_checkout(tmp_path_factory.mktemp("examples") / "checkout")
    texts, labels = directory / "texts", directory / "labels"
    texts.mkdir()
    labels.mkdir()
    found = [passage.text for passage in itertools.islice(docstring_passages(["networkx"]), 900)]
    for number, text in enumerate(found[:100]):
        (texts / f"{number}.txt").write_text(text, encoding="utf-8")
    with gzip.open(texts / "more.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(f"{json.dumps({'text': text})}\n" for text in found[100:])
    with (labels / "news.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["body", "topic", "outlet"])
        for number, (topic, outlet) in enumerate(itertools.product(["World", "Sports", "Sci/Tech"], ["daily", "weekly"] * 400)):
            writer.writerow([f"{topic} in the {outlet} of day {number}", topic, outlet])
    (directory / "fewer.yaml").write_text(yaml.safe_dump(FEWER))
    return directory


@pytest.fixture(scope="module")
def finished(checkout):
    files = ("tests/tiny.yaml", "examples/own_text_and_labels.yaml", "fewer.yaml")
    process = snakemake(checkout, "results/table1.tex", "--configfile", *files)
    assert process.returncode == 0, process.stdout + process.stderr
    (checkout / "shown").write_text(process.stdout + process.stderr)
    return checkout


@pytest.mark.slow
def test_own_text_and_labels_from_files_to_table_1(finished):
    assert "WTA" in (finished / "results/own-labels/table1.tex").read_text()
    log = (finished / "results/own-labels/logs/label_files/news.log").read_text()
    assert log.startswith("2,400 labelled texts; left out: nothing\n")
    assert read_spent(log)


@pytest.mark.slow
def test_a_run_shows_a_line_a_job_and_how_many_are_done(finished):
    shown = (finished / "shown").read_text()
    assert len(re.findall(r"^\d\d:\d\d:\d\d train_sae results/own-labels/sae/topk-k4$", shown, re.MULTILINE)) == 1
    assert len(re.findall(r"^\d+ of \d+ steps \(\d+%\) done$", shown, re.MULTILINE)) > 10
    assert not re.search("resources:|Shell command|Select jobs|Finished jobid", shown)


@pytest.mark.slow
def test_an_sae_and_a_model_of_ones_own_are_evaluated_by_the_script(finished):
    run, text = "results/own-labels", "texts/more.jsonl.gz"
    command = ["examples/evaluate_own_sae.sh", f"{run}/lm", "1", f"{run}/sae/topk-k4", "mine", text]
    process = by_hand(finished, *command, CONTEXTS="16", CONTEXT_LENGTH="64")
    assert process.returncode == 0, process.stderr
    core, geometry = read_json(finished / "mine/metrics.json")
    assert core["l0"] == pytest.approx(4, abs=0.1)
    assert (geometry["sae"], geometry["inference"]) == ("topk-k4", None)
    assert by_hand(finished, command[0]).returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own_text.yaml", "own_model.yaml"])
def test_the_cluster_script_plans_the_other_examples(finished, name):
    model = finished / "model"
    if not model.exists():
        model.symlink_to(Path("results/own-labels/lm"))
    files = (f"examples/{name}", "tests/tiny.yaml", "fewer.yaml")
    process = by_hand(finished, "examples/cluster.sh", *files, "--dry-run", "--config", f"run=planned-{name[4:8]}")
    assert process.returncode == 0, process.stdout + process.stderr
    assert ("check_language_model" in process.stdout + process.stderr) == (name == "own_model.yaml")
    assert "gpu=1" in process.stdout + process.stderr
