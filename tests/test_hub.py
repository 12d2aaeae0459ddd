"""Fetching from a hub: what is asked of it, what is kept, and what happens where it fails. The hub is one on this machine."""

import random
import shutil
from types import SimpleNamespace

import pandas as pd
import pytest
from huggingface_hub.constants import DOWNLOAD_CHUNK_SIZE

from fake_hub import Fault, commit_of, serving
from workflow import ROOT, by_hand
from wta_sae.__main__ import main
from wta_sae.machine import hub
from wta_sae.machine.fetched import model_origin
from wta_sae.text.documents import read_description
from wta_sae.text.labelled_rows import read_rows

MODEL = ("fetch-language-model", "--name", "org/tiny", "--revision", "main", "--out")
DATASET = ("--name", "org/labelled", "--revision", "main")
WEIGHTS, TRAIN = "model.safetensors", "train-00000-of-00001.parquet"
EVER = float("inf")
PIECE = DOWNLOAD_CHUNK_SIZE  # in which the library writes a file


@pytest.fixture
def repositories(tmp_path, neox_directory):
    root = tmp_path / "hub"
    shutil.copytree(neox_directory, root / "models/org/tiny")
    for unwanted in ("pytorch_model.bin", "modeling.py", "training_args.pt"):
        (root / "models/org/tiny" / unwanted).write_bytes(b"never read")
    (root / "models/org/tiny" / WEIGHTS).write_bytes(random.Random(0).randbytes(3 * PIECE))
    (root / "models/org/pickled").mkdir()
    (root / "models/org/pickled/config.json").write_text("{}")
    (root / "models/org/pickled/pytorch_model.bin").write_bytes(b"never read")
    write_dataset(root / "datasets/org/labelled", "text")
    return root


def write_dataset(folder, word):
    (folder / "data").mkdir(parents=True)
    for split in ("train", "test"):
        frame = pd.DataFrame({"text": [f"{split} {word} {i}" for i in range(40)], "label": [i % 2 for i in range(40)]})
        frame.to_parquet(folder / f"data/{split}-00000-of-00001.parquet")


def move(repository):
    """Another state of a repository, which its branches have from the second question on."""
    moved = repository.with_name(f"{repository.name}@moved")
    shutil.copytree(repository, moved)
    return moved


def stage(tmp_path, url, *arguments, waits=hub.WAITS):
    """In a process of its own, because the hub's address is read when its library is imported; impatient, so as to be quick."""
    code = f"import sys; from wta_sae.machine import hub; hub.WAITS = {waits}; from wta_sae.__main__ import main; "
    code += f"sys.exit(main({[str(argument) for argument in arguments]}))"
    patience = {"HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
    environment = {"HF_ENDPOINT": url, "HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"} | patience
    return by_hand(ROOT, "python", "-c", code, **environment)


def kept_files(repository):
    """Name -> bytes of what is fetched of a model."""
    return {path.name: path.read_bytes() for path in repository.iterdir() if path.suffix in (".json", ".safetensors")}


def fetched_files(out):
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name != "fetched.json"}


def test_a_model_is_fetched_at_a_commit_without_pickle_and_code(repositories, tmp_path):
    out, repository = tmp_path / "lm", repositories / "models/org/tiny"
    with serving(repositories) as (url, asked):
        process = stage(tmp_path, url, *MODEL, out)
    assert process.returncode == 0, process.stderr
    assert model_origin(out) == {"name": "org/tiny", "revision": "main", "commit": commit_of(repository)}
    assert fetched_files(out) == kept_files(repository)
    assert not [path for path in asked.paths if path.endswith((".bin", ".py", ".pt"))]
    assert asked.starts(WEIGHTS) == [0]  # from the other host, to which the hub sends a client for what is large
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


@pytest.mark.slow  # what is tried again is waited for
@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        (Fault(503), 1),
        (Fault(429), 1),
        (Fault("stall"), 1),
        (Fault(500, "/resolve/.*/tokenizer.json"), 1),
        (Fault(429, WEIGHTS), 1),
        (Fault(503, f"/far/.*{WEIGHTS}"), 2),
        (Fault(429, f"/far/.*{WEIGHTS}"), 2),
        (Fault("cut", f"/far/.*{WEIGHTS}"), 2),
        (Fault("stall", f"/far/.*{WEIGHTS}"), 2),
        (Fault("stall", f"/far/.*{WEIGHTS}", times=4), 5),
    ],
    ids=lambda value: f"{value.kind} {value.where} x{value.times}" if isinstance(value, Fault) else str(value),
)
def test_a_model_is_whole_whatever_befalls_the_hub(repositories, tmp_path, fault, requests):
    out, repository = tmp_path / "lm", repositories / "models/org/tiny"
    with serving(repositories, fault) as (url, asked):
        process = stage(tmp_path, url, *MODEL, out)
    assert process.returncode == 0, process.stderr
    assert fault.times == 0  # it was met
    assert fetched_files(out) == kept_files(repository)
    starts = asked.starts(WEIGHTS)
    assert (len(starts), starts[0]) == (requests, 0)
    if fault.kind in ("cut", "stall") and requests > 1:
        assert starts[1] == PIECE  # what came by then is not asked for again
        assert starts == sorted(starts)


def test_the_hub_is_asked_again_when_it_wants_to_be():
    class RefusalError(ConnectionError):
        def __init__(self, headers):
            self.response = SimpleNamespace(headers=headers)

    assert hub.asked_to_wait(RefusalError({"RateLimit": '"api";r=0;t=270'})) == 271
    assert hub.asked_to_wait(RefusalError({"RateLimit": '"api";r=12;t=270'})) == 0  # another reason
    assert hub.asked_to_wait(RefusalError({"Retry-After": "30"})) == 30
    assert hub.asked_to_wait(RefusalError({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})) == 0
    assert hub.asked_to_wait(ConnectionError("lost")) == 0


def test_a_model_without_safetensors_is_refused(repositories, tmp_path):
    with serving(repositories) as (url, _):
        arguments = ("fetch-language-model", "--name", "org/pickled", "--revision", "main", "--out", tmp_path / "lm")
        process = stage(tmp_path, url, *arguments)
    assert process.returncode == 1
    assert "org/pickled at revision main has no safetensors weights; choose a revision" in process.stderr
    assert not (tmp_path / "lm").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["portal", 503, 401])
def test_a_hub_that_does_not_answer_is_told_in_one_line(repositories, tmp_path, kind):
    with serving(repositories, Fault(kind, "/api/", times=EVER)) as (url, asked):
        process = stage(tmp_path, url, *MODEL, tmp_path / "lm", waits=(0,))
    assert process.returncode == 1
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("wta_sae")]
    assert "org/tiny at revision main could not be fetched from the hub (" in line
    questions = [path for path in asked.paths if path.endswith("/main")]
    assert len(questions) == (2 if kind == 503 else 1)  # what will not pass is not asked for again
    assert not (tmp_path / "lm").exists()


@pytest.mark.slow  # the hub's library tries again before it gives up
def test_a_connection_lost_in_the_middle_of_a_file_is_told_as_that_and_loses_nothing(repositories, tmp_path):
    out = tmp_path / "lm"
    with serving(repositories, Fault("cut", f"/far/.*{WEIGHTS}"), Fault(503, f"/far/.*{WEIGHTS}", times=EVER)) as (url, _):
        process = stage(tmp_path, url, *MODEL, out, waits=())
    assert process.returncode == 1
    line = process.stderr.splitlines()[-1]
    assert "org/tiny at revision main could not be fetched from the hub (" in line
    assert "disk" not in line
    assert not out.exists()
    whole = {path.name for path in (tmp_path / ".lm.partial").iterdir()}
    assert {"config.json", "tokenizer.json"} <= whole
    with serving(repositories) as (url, asked):
        process = stage(tmp_path, url, *MODEL, out)
    assert process.returncode == 0, process.stderr
    fetched = [path for path in asked.paths if "/resolve/" in path and path.endswith("/tokenizer.json")]
    assert fetched == []  # it was there already
    assert fetched_files(out) == kept_files(repositories / "models/org/tiny")
    assert {path.name for path in tmp_path.iterdir()} == {"hub", "lm"}


@pytest.mark.slow
def test_a_branch_that_moves_meanwhile_gives_no_mixture(repositories, tmp_path):
    before, after = repositories / "models/org/tiny", move(repositories / "models/org/tiny")
    (after / "config.json").write_text((before / "config.json").read_text().replace("{", '{"moved": true,', 1))
    (after / WEIGHTS).write_bytes((before / WEIGHTS).read_bytes()[::-1])
    with serving(repositories, Fault(503, "/resolve/.*/tokenizer.json")) as (url, asked):
        process = stage(tmp_path, url, *MODEL, tmp_path / "lm")
        assert process.returncode == 0, process.stderr
        assert fetched_files(tmp_path / "lm") == kept_files(before)  # of the commit that was asked for first
        again = stage(tmp_path, url, *MODEL, tmp_path / "again")
    assert (again.returncode, model_origin(tmp_path / "again")["commit"]) == (0, commit_of(after))
    assert fetched_files(tmp_path / "again") == kept_files(after)
    assert len([path for path in asked.paths if path.endswith("/main")]) == 2  # once a fetch


@pytest.mark.slow
def test_what_a_job_left_is_of_no_use_to_one_at_another_commit(repositories, tmp_path):
    after = move(repositories / "models/org/tiny")
    (after / WEIGHTS).write_bytes((after / WEIGHTS).read_bytes()[::-1])
    with serving(repositories, Fault("cut", f"/far/.*{WEIGHTS}"), Fault(503, f"/far/.*{WEIGHTS}")) as (url, _):
        process = stage(tmp_path, url, *MODEL, tmp_path / "lm", waits=())
        assert process.returncode == 1
        process = stage(tmp_path, url, *MODEL, tmp_path / "lm")
    assert process.returncode == 0, process.stderr
    assert "left by a job of other commit; cleared, starting anew" in process.stderr
    assert fetched_files(tmp_path / "lm") == kept_files(after)


def fetch_rows(tmp_path, url, out):
    options = ("--splits", "train", "test", "--text", "text", "--labels", "label")
    return stage(tmp_path, url, "fetch-labelled-texts", *DATASET, *options, "--out", out)


def test_datasets_are_read_at_one_commit_that_is_recorded(repositories, tmp_path):
    texts, rows = tmp_path / "text.parquet", tmp_path / "rows.parquet"
    with serving(repositories) as (url, asked):
        budget = ("--characters", 300, "--evaluation-share", 0.5)
        process = stage(tmp_path, url, "collect-text", "hub", *DATASET, *budget, "--out", texts)
        assert process.returncode == 0, process.stderr
        process = fetch_rows(tmp_path, url, rows)
        assert process.returncode == 0, process.stderr
    commit = commit_of(repositories / "datasets/org/labelled")
    assert read_description(texts)["dataset"]["commit"] == commit
    labelled, description = read_rows(rows, "label")
    assert (len(labelled), description["commit"]) == (80, commit)
    # The branch is asked for once a fetch, its files at the commit alone.
    assert len([path for path in asked.paths if path.endswith("/main")]) == 2
    assert {path.split("/resolve/")[1].split("/")[0] for path in asked.paths if "/resolve/" in path} == {commit}


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        Fault(503),
        Fault(429),
        Fault("stall"),
        Fault(503, f"/far/.*{TRAIN}"),
        Fault(429, f"/far/.*{TRAIN}"),
        Fault("cut", f"/far/.*{TRAIN}"),
        Fault("stall", f"/far/.*{TRAIN}"),
        Fault(503, "/tree/"),
        Fault("cut", "/tree/"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.where}",
)
def test_a_dataset_is_whole_whatever_befalls_the_hub(repositories, tmp_path, fault):
    after = repositories / "datasets/org/labelled@moved"  # and its branch moves at that
    write_dataset(after, "another text")
    with serving(repositories, fault) as (url, _):
        process = fetch_rows(tmp_path, url, tmp_path / "rows.parquet")
    assert process.returncode == 0, process.stderr
    assert fault.times == 0
    labelled, description = read_rows(tmp_path / "rows.parquet", "label")
    # Where the branch had to be asked for twice, the answer to the second is what counts.
    word = "another text" if description["commit"] == commit_of(after) else "text"
    assert [row.text for row in labelled] == [f"{split} {word} {i}" for split in ("train", "test") for i in range(40)]


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
