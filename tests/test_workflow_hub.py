"""The paper's preset on a hub of this machine: fetched where it is, used where no network is, from text to metrics."""

import shutil
from urllib.parse import quote

import pytest
import yaml
from datasets import Features, Value

from fake_hub import serving
from labelled_datasets import TEST_SET_SIZE, TRAIN_SET_SIZE, write, write_card, write_datasets
from workflow import ROOT, by_hand, new_checkout, planned_jobs, snakemake
from wta_sae.machine.files import read_json
from wta_sae.machine.tensor_files import read_tensor_metadata
from wta_sae.text.docstrings import docstring_passages

pytestmark = pytest.mark.slow

PRESET = "workflow/presets/pythia-410m.yaml"
CONFIGS = ("--configfile", PRESET, "own.yaml")
NO_HUB = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}
NAME_OF_TEXT = "Skylion007/openwebtext"

# The preset's names, revisions and columns stay as they are: only sizes are smaller, and the run's name is another.
OWN = {
    "run": "hub-test",
    "seeds": [42],
    "text": {
        "hub": {"characters": 2000000},
        "context_length": 32,
        "train_contexts": 3000,
        "evaluation_contexts": 32,
        "calibration_contexts": 16,
    },
    "activations": {"tokens": 20000, "shard_tokens": 8192},
    "training": {"latents": 64, "batch_tokens": 512, "warmup_steps": 8, "threshold_start_step": 20, "saes_together": 1},
    "saes": {"topk": {"k": [4]}},
    "labelled_texts": {
        "train_per_class": TRAIN_SET_SIZE // 2,
        "test_per_class": TEST_SET_SIZE // 2,
        "train_per_quadrant": TRAIN_SET_SIZE // 4,
        "test_per_quadrant": TEST_SET_SIZE // 4,
    },
    "evaluation": {"perturbed_latents": [2, 5]},
}


def write_hub(root):
    """What the preset asks the hub for, under the names and at the branches that it asks for."""
    preset = yaml.safe_load((ROOT / PRESET).read_text())
    lm = root / "models" / preset["language_model"]["hub"]["name"]
    lm.parent.mkdir(parents=True)
    shutil.copytree(ROOT / "tests/data/golden/lm", lm)
    text = root / "datasets" / preset["text"]["hub"]["name"]
    passages = [{"text": passage.text} for passage in docstring_passages(["networkx", "matplotlib"])]
    half = len(passages) // 2
    write(text / "plain_text/train-00000-of-00002.parquet", passages[:half])
    write(text / "plain_text/train-00001-of-00002.parquet", passages[half:])
    write_card(text, {"plain_text": ("plain_text", "train")}, Features({"text": Value("string")}))
    write_datasets(root / "made")
    for name, dataset in preset["labelled_texts"]["hub"]["datasets"].items():
        branch = dataset["revision"] if "/" in dataset["revision"] else ""
        folder = root / "datasets" / (dataset["name"] + (f"@{quote(branch, safe='')}" if branch else ""))
        folder.parent.mkdir(parents=True, exist_ok=True)
        (root / "made" / name).rename(folder)
    script = root / "datasets/codeparrot/github-code/github-code.py"  # on the branch that is not asked for
    script.parent.mkdir()
    script.write_text("raise SystemExit('never run')")


def test_what_is_fetched_where_there_is_a_network_is_all_that_a_cluster_without_one_needs(tmp_path):
    online, offline = new_checkout(tmp_path / "online"), tmp_path / "offline"
    (online / "own.yaml").write_text(yaml.safe_dump(OWN))
    write_hub(tmp_path / "hub")
    with serving(tmp_path / "hub") as (url, asked):
        process = snakemake(online, "fetched", *CONFIGS, HF_ENDPOINT=url, HF_HUB_OFFLINE="0", HOME=str(tmp_path / "home"))
    assert process.returncode == 0, process.stdout + process.stderr
    assert planned_jobs(process) == {
        "fetch_language_model": 1,
        "fetch_text": 1,
        "fetch_labelled_texts": 5,
        "fetched": 1,
    }
    assert not [path for method, path, _ in asked.requests if method == "GET" and path.endswith((".py", ".pkl"))]

    # As docs/cluster.md says.
    offline.mkdir()
    assert by_hand(online, "tar", "--exclude=.venv", "-cf", "../brought.tar", ".").returncode == 0
    assert by_hand(offline, "tar", "-xf", "../brought.tar").returncode == 0
    shutil.rmtree(online)

    process = snakemake(offline, "results/hub-test/metrics/topk-k4/texts.json", *CONFIGS, **NO_HUB)
    assert process.returncode == 0, process.stdout + process.stderr
    jobs = planned_jobs(process)
    assert not [rule for rule in jobs if rule.startswith("fetch")]
    assert (jobs["label_classes"], jobs["label_quadrants"]) == (8, 8)

    run = offline / "results/hub-test"
    metrics = read_json(run / "metrics/topk-k4/texts.json")
    assert 0.5 <= metrics["sae_test_accuracy"] <= 1
    assert {"tpp_threshold_2_total_metric", "scr_dir1_threshold_2"} <= set(metrics)
    assert read_tensor_metadata(run / "tokens/train.safetensors")["text"]["dataset"]["name"] == NAME_OF_TEXT
    drawn = read_json(run / "labelled/classes/ag_news.json")
    assert {len(texts) for texts in drawn["train"].values()} == {TRAIN_SET_SIZE // 2}
    assert {len(texts) for texts in drawn["test"].values()} == {TEST_SET_SIZE // 2}
