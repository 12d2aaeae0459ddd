"""Fetching from a hub: what is asked of it, what is kept, and what happens where it fails. The hub is one on this machine."""

import shutil

import pandas as pd
import pytest

from fake_hub import COMMIT, serving
from workflow import ROOT, by_hand
from wta_sae.__main__ import main
from wta_sae.machine.fetched import model_origin
from wta_sae.text.documents import read_description
from wta_sae.text.labelled_rows import read_rows


@pytest.fixture
def repositories(tmp_path, neox_directory):
    root = tmp_path / "hub"
    shutil.copytree(neox_directory, root / "models/org/tiny")
    for unwanted in ("pytorch_model.bin", "modeling.py", "training_args.pt"):
        (root / "models/org/tiny" / unwanted).write_bytes(b"never read")
    (root / "models/org/pickled").mkdir()
    (root / "models/org/pickled/config.json").write_text("{}")
    (root / "models/org/pickled/pytorch_model.bin").write_bytes(b"never read")
    for split in ("train", "test"):
        (root / "datasets/org/labelled/data").mkdir(parents=True, exist_ok=True)
        frame = pd.DataFrame({"text": [f"{split} text {i}" for i in range(40)], "label": [i % 2 for i in range(40)]})
        frame.to_parquet(root / f"datasets/org/labelled/data/{split}-00000-of-00001.parquet")
    return root


def stage(tmp_path, url, *arguments):
    """In a process of its own, because the hub's address is read when its library is imported."""
    environment = {"HF_ENDPOINT": url, "HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    return by_hand(ROOT, "python", "-m", "wta_sae", *map(str, arguments), **environment)


def test_a_model_is_fetched_at_a_commit_without_pickle_and_code(repositories, tmp_path):
    out = tmp_path / "lm"
    with serving(repositories, failures=1) as (url, asked):
        process = stage(tmp_path, url, "fetch-language-model", "--name", "org/tiny", "--revision", "main", "--out", out)
    assert process.returncode == 0, process.stderr
    assert "503" in process.stderr  # and was tried again
    assert model_origin(out) == {"name": "org/tiny", "revision": "main", "commit": COMMIT}
    kept = {path.name for path in (repositories / "models/org/tiny").iterdir() if path.suffix in (".json", ".safetensors")}
    assert {path.name for path in out.iterdir()} == kept | {"fetched.json"}
    assert not [path for path in asked if path.endswith((".bin", ".py", ".pt"))]
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_model_without_safetensors_is_refused(repositories, tmp_path):
    with serving(repositories) as (url, _):
        arguments = ("fetch-language-model", "--name", "org/pickled", "--revision", "main", "--out", tmp_path / "lm")
        process = stage(tmp_path, url, *arguments)
    assert process.returncode == 1
    assert "org/pickled at revision main has no safetensors weights; choose a revision" in process.stderr
    assert not (tmp_path / "lm").exists()


@pytest.mark.slow  # the hub's library tries again before it gives up
def test_a_connection_lost_in_the_middle_of_a_file_is_told_as_that_and_loses_nothing(repositories, tmp_path):
    out = tmp_path / "lm"
    arguments = ("fetch-language-model", "--name", "org/tiny", "--revision", "main", "--out", str(out))
    impatient = "import sys; from wta_sae.machine import hub; hub.WAITS = (); from wta_sae.__main__ import main; "
    impatient += f"sys.exit(main({arguments}))"
    environment = {"HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    with serving(repositories, cut=["model.safetensors"]) as (url, _):
        process = by_hand(ROOT, "python", "-c", impatient, HF_ENDPOINT=url, **environment)
    assert process.returncode == 1
    line = process.stderr.splitlines()[-1]
    assert "org/tiny at revision main could not be fetched from the hub (" in line
    assert "disk" not in line
    assert not out.exists()
    whole = {path.name for path in (tmp_path / ".lm.partial").iterdir()}
    assert {"config.json", "tokenizer.json"} <= whole
    with serving(repositories) as (url, asked):
        process = stage(tmp_path, url, *arguments)
    assert process.returncode == 0, process.stderr
    fetched = [path for path in asked if path.endswith("/tokenizer.json")]
    assert fetched == []  # it was there already
    assert {path.name for path in tmp_path.iterdir()} == {"hub", "lm"}


def test_datasets_are_read_at_one_commit_that_is_recorded(repositories, tmp_path):
    texts, rows = tmp_path / "text.parquet", tmp_path / "rows.parquet"
    source = ("--name", "org/labelled", "--revision", "main")
    with serving(repositories, failures=1) as (url, asked):
        process = stage(
            tmp_path, url, "collect-text", "hub", *source, "--characters", 300, "--evaluation-share", 0.5, "--out", texts
        )
        assert process.returncode == 0, process.stderr
        options = ("--splits", "train", "test", "--text", "text", "--labels", "label")
        process = stage(tmp_path, url, "fetch-labelled-texts", *source, *options, "--out", rows)
        assert process.returncode == 0, process.stderr
    assert read_description(texts)["dataset"]["commit"] == COMMIT
    labelled, description = read_rows(rows, "label")
    assert (len(labelled), description["commit"]) == (80, COMMIT)
    # The branch is asked for once a fetch (once more after the failure), its files at the commit alone.
    assert len([path for path in asked if path.endswith("/main")]) == 3
    assert {path.split("/resolve/")[1].split("/")[0] for path in asked if "/resolve/" in path} == {COMMIT}


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        (
            ("fetch-language-model", "--name", "org/tiny"),
            "set language_model.source: path and language_model.path: a folder that holds it",
        ),
        (
            ("collect-text", "hub", "--name", "org/tiny", "--characters", "9", "--evaluation-share", "0.5"),
            "set text.hub.name to a folder with the dataset's files",
        ),
        (
            ("fetch-labelled-texts", "--name", "org/tiny", "--splits", "train", "test", "--text", "text", "--labels", "label"),
            "set labelled_texts.hub.datasets.out.name to a folder with the dataset's files",
        ),
    ],
)
def test_without_a_network_one_line_says_what_to_do(tmp_path, capsys, monkeypatch, command, instead):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    out = tmp_path / "out"
    assert main([*command, "--revision", "main", "--out", str(out)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "org/tiny at revision main could not be fetched from the hub (Cannot reach" in lines[0]
    assert lines[0].endswith(f"out by the same command and place it here, or {instead}")
    assert not out.exists()
