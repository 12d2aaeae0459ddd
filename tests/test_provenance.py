"""What is recorded beside an SAE of where it is from."""

import hashlib
import json
import shutil
import subprocess

import numpy as np
import pytest
import torch

from workflow import ROOT, TINY, snakemake
from wta_sae.base.errors import UserError
from wta_sae.machine.files import write_json
from wta_sae.machine.provenance import REPOSITORY, git_state, provenance
from wta_sae.sae.run_provenance import joint_provenance, run_provenance
from wta_sae.sae.sae import SAE
from wta_sae.sae.save import save_sae


def git(folder, *words):
    command = ["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x@y", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_that_of_the_repository_that_the_code_is_in():
    assert ROOT == REPOSITORY
    if (ROOT / ".git").exists():
        assert provenance(torch.device("cpu"))["commit"] == git(ROOT, "rev-parse", "HEAD")


def test_a_commit_is_named_and_whether_files_differ_from_it(tmp_path):
    assert git_state(tmp_path) == {"commit": None, "modified": None}
    git(tmp_path, "init")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = git_state(tmp_path)
    assert len(clean["commit"]) == 40 and clean["modified"] is False
    (tmp_path / "file").write_text("2")
    assert git_state(tmp_path) == clean | {"modified": True}
    (tmp_path / "copy").mkdir()  # of the files alone, inside another repository
    assert git_state(tmp_path / "copy") == {"commit": None, "modified": None}


def test_what_a_job_runs_on():
    found = provenance(torch.device("cpu"))
    assert found["device"] and found["threads"] == torch.get_num_threads()
    assert found["product_precision"] == "float32"
    assert found["versions"]["torch"] == torch.__version__


def test_a_run_names_every_value_that_its_saes_have(tmp_path):
    for number, (device, torch_version) in enumerate((("CPU", "1"), ("GPU", "1"), ("CPU", "2"))):
        record = {"device": device, "threads": 1, "commit": None, "versions": {"torch": torch_version, "numpy": "3"}}
        write_json(tmp_path / str(number) / "provenance.json", record)
    assert joint_provenance([tmp_path / str(number) for number in range(3)]) == {
        "device": ["CPU", "GPU"],
        "threads": [1],
        "commit": [None],
        "versions": {"torch": ["1", "2"], "numpy": ["3"]},
    }
    with pytest.raises(UserError, match=r"3/provenance.json: no such file"):
        joint_provenance([tmp_path / "3"])


def saved(folder, name, **metadata):
    sae = SAE(torch.eye(3), torch.zeros(3), torch.eye(3), torch.zeros(3), "topk", k=1)
    model = {"model_name": "a/model", "model_sha256": "abc", "model_commit": "def", "hook_name": "blocks.1.hook_resid_post"}
    save_sae(folder / name, sae, {}, model | {"variant": "topk"} | metadata, provenance={"device": "CPU", "versions": {}})
    return folder / name


def test_a_run_tells_what_it_is_of_and_each_saes_checksum(tmp_path):
    one, other = saved(tmp_path, "one"), saved(tmp_path, "other", synthetic={"zipf": 1})
    write_json(tmp_path / "classes/mine.json", {"train": {}})
    np.save(tmp_path / "tokens.npy", np.zeros((2, 3), dtype=np.int32))
    texts = [tmp_path / "classes/mine.json"]
    found = run_provenance({"seeds": [1]}, [one, other], [one], [tmp_path / "tokens.npy"], texts)
    assert found["config"] == {"seeds": [1]} and found["device"] == ["CPU"]
    model = {"name": "a/model", "sha256": "abc", "commit": "def", "hook": "blocks.1.hook_resid_post"}
    assert found["language_models"] == [model]  # what is synthetic is of none
    assert list(found["tokens"]) == ["tokens"] and len(found["tokens"]["tokens"]["sha256"]) == 64
    assert found["labelled_texts"] == {"classes/mine": hashlib.sha256(texts[0].read_bytes()).hexdigest()}
    digest = hashlib.sha256((one / "sae_weights.safetensors").read_bytes()).hexdigest()
    assert found["saes"]["one"] == {"sae_weights.safetensors": digest}
    assert list(found["saes"]) == ["one", "other"]
    assert run_provenance({"seeds": [1]}, [one, other], [one], [tmp_path / "tokens.npy"], texts) == found


@pytest.mark.slow
def test_what_is_trained_anew_has_the_same_provenance_to_the_byte(checkout):
    """Two runs from nothing, and all else of them, are compared by benchmarks/endurance.py."""
    file = checkout / "results/tiny/provenance.json"
    before = file.read_bytes()
    for name in ("activations", "activations-train-first-without-bos", "synthetic", "sae"):
        shutil.rmtree(checkout / "results/tiny" / name)
    file.unlink()
    process = snakemake(checkout, "results/tiny/provenance.json", *TINY)
    assert process.returncode == 0, process.stderr
    assert file.read_bytes() == before
    assert len(json.loads(before)["saes"]) == 30
