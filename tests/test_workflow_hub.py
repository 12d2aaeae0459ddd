"""The workflow on datasets like the hub's, from text to metrics, with the network shut off."""

import pytest
import yaml

from labelled_datasets import TEST_SET_SIZE, TRAIN_SET_SIZE, write, write_datasets
from test_text_labelled_hub import config
from workflow import new_checkout, planned_jobs, snakemake
from wta_sae.machine.files import read_json
from wta_sae.machine.tensor_files import read_tensor_metadata
from wta_sae.text.docstrings import docstring_passages

pytestmark = pytest.mark.slow


def test_probing_tpp_and_scr_on_several_datasets(tmp_path):
    new_checkout(tmp_path)
    write_datasets(tmp_path / "data")
    texts = [passage.text for passage in docstring_passages(["networkx", "matplotlib"])]
    write(tmp_path / "data/text/train-00000-of-00001.parquet", [{"text": text} for text in texts])
    source = {"name": "data/text", "revision": "main", "split": "train", "column": "text", "characters": 2000000}
    labelled = config(tmp_path / "data", "pythia-70m")["labelled_texts"]
    own = {"run": "hub-test", "text": {"source": "hub", "hub": source}, "labelled_texts": labelled}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own))

    process = snakemake(
        tmp_path,
        "results/hub-test/metrics/topk-k4/texts.json",
        "--configfile",
        "tests/tiny.yaml",
        "own.yaml",
        HF_HUB_OFFLINE="1",
    )
    assert process.returncode == 0, process.stdout + process.stderr
    jobs = planned_jobs(process)
    assert (jobs["fetch_text"], jobs["fetch_labelled_texts"], jobs["label_classes"], jobs["label_quadrants"]) == (1, 3, 3, 2)

    run = tmp_path / "results/hub-test"
    metrics = read_json(run / "metrics/topk-k4/texts.json")
    assert 0.5 <= metrics["sae_test_accuracy"] <= 1
    assert {"tpp_threshold_2_total_metric", "scr_dir1_threshold_2"} <= set(metrics)
    assert read_tensor_metadata(run / "tokens/train.safetensors")["text"]["dataset"]["name"] == source["name"]
    drawn = read_json(run / "labelled/classes/ag_news.json")
    assert {len(texts) for texts in drawn["train"].values()} == {TRAIN_SET_SIZE // 2}
    assert {len(texts) for texts in drawn["test"].values()} == {TEST_SET_SIZE // 2}
