"""Going on after an interruption: the files, a restored trainer, and a training job that is killed."""

import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from test_command_line import TRAINING
from test_training import BATCH, batches, trainer
from wta_sae.activations.caching import cache_activations
from wta_sae.plan.commands import flags
from wta_sae.training.checkpoints import Checkpoints
from wta_sae.variants.registry import VARIANTS


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "sae", {"seed": 1, "rates": (0.1, 0.2)}, seconds=3600)


def save(checkpoints, step):
    checkpoints.save(step, {"x": torch.tensor([float(step), torch.nan])}, {"step": step, "loss": 0.1})


def test_the_last_checkpoint_comes_back_as_it_was(checkpoints):
    assert checkpoints.latest() is None
    for step in (5, 90, 1000):
        save(checkpoints, step)
    tensors, state = checkpoints.latest()
    torch.testing.assert_close(tensors["x"], torch.tensor([1000.0, torch.nan]), rtol=0, atol=0, equal_nan=True)
    assert state == {"step": 1000, "loss": 0.1}
    assert len(list(checkpoints.directory.iterdir())) == 2


def test_a_damaged_checkpoint_is_passed_over(checkpoints):
    save(checkpoints, 1)
    save(checkpoints, 2)
    newest = checkpoints.directory / "step-000000002.safetensors"
    newest.write_bytes(newest.read_bytes()[:-3])
    assert checkpoints.latest()[1]["step"] == 1


def test_a_checkpoint_with_a_changed_byte_is_passed_over(checkpoints, capsys):
    save(checkpoints, 1)
    save(checkpoints, 2)
    newest = checkpoints.directory / "step-000000002.safetensors"
    newest.write_bytes(newest.read_bytes()[:-3] + b"xyz")
    assert checkpoints.latest()[1]["step"] == 1
    assert capsys.readouterr().err == f"{newest}: damaged; passed over\n"


def test_a_checkpoint_that_cannot_be_written_is_told_of_and_no_more(checkpoints, tmp_path, capsys):
    checkpoints.directory.touch()  # a file in the folder's place stops even the superuser
    save(checkpoints, 7)
    line = r"no checkpoint at step 7: .*\.checkpoints: cannot be written \(.+\); .*; going on without it\n"
    assert re.fullmatch(line, capsys.readouterr().err)
    assert not checkpoints.due()  # the next one after the usual time


def test_checkpoints_of_another_origin_are_passed_over_and_go(checkpoints, tmp_path, capsys):
    save(checkpoints, 7)
    save(checkpoints, 900)
    other = Checkpoints(tmp_path / "sae", {"seed": 2, "rates": [0.1, 0.2]}, seconds=0)
    assert other.latest() is None
    newest = checkpoints.directory / "step-000000900.safetensors"
    assert capsys.readouterr().err == f"{newest}: left by a job of other seed; passed over\n"
    assert other.due()
    assert not checkpoints.due()
    save(other, 8)
    assert checkpoints.latest()[1]["step"] == 7  # of the two kept ones, until the other job's second
    save(other, 9)
    assert checkpoints.latest() is None
    assert other.latest()[1]["step"] == 9
    other.clear()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "device, arithmetic",
    [
        ("cpu", "pairs"),
        ("cpu", "dense"),
        pytest.param("cuda", "dense", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")),
    ],
)
def test_a_restored_trainer_goes_on_bit_for_bit(variant, device, arithmetic, repeatable):
    def go_on(one, stream):
        for x_BD in stream:
            if one.steps % 2 == 0:
                one.bound_dead(2)
            one.step(x_BD.to(device))

    options = {"arithmetic": arithmetic, "device": torch.device(device), "dead_after_tokens": 6 * BATCH}
    undisturbed, first, second = (trainer(variant, **options) for _ in range(3))
    stream = batches()
    go_on(undisturbed, stream)
    go_on(first, stream[:11])
    second.restore({name: value.cpu().clone() for name, value in first.state().items()})
    go_on(second, stream[11:])
    assert second.state().keys() == undisturbed.state().keys()
    for name, value in undisturbed.state().items():
        assert torch.equal(second.state()[name].nan_to_num(-1.0), value.nan_to_num(-1.0)), name


LONG = TRAINING | {"epochs": 400, "latents": 96}
STEPS = 400 * 160 // 32


@pytest.fixture
def job(lm, tokens_CL, tmp_path):
    """Starts training a WTA SAE of some seconds that saves a checkpoint every few steps."""
    cache_activations(tmp_path / "activations", lm, tokens_CL, {"sha256": "digest"}, 160, torch.float32, 64, 4, seed=0)

    def start(name, largest_file=None):
        def limit():  # as on a disk that is nearly full
            if largest_file is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

        command = [sys.executable, "-m", "wta_sae", "train-sae", "--activations", str(tmp_path / "activations")]
        command += ["--variant", "wta", "--k", "2", "--rates", "0.07", *flags(LONG).split(), "--checkpoint-seconds", "0.05"]
        command += ["--out", str(tmp_path / "sae" / name)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment, preexec_fn=limit)

    return start


def wait_for_a_checkpoint(folder, process):
    while not list(folder.glob("step-*")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)


def trained(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
def test_a_job_killed_again_and_again_ends_with_the_same_bytes(job, tmp_path):
    undisturbed = job("undisturbed")
    assert undisturbed.wait() == 0
    random.seed(0)
    starts = []
    for _ in range(4):
        process = job("killed")
        wait_for_a_checkpoint(tmp_path / "sae/.killed.checkpoints", process)
        time.sleep(random.uniform(0.05, 0.6))
        process.kill()
        starts.append(process.stderr.read().decode())
        assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / "sae/killed").exists()
    last = job("killed")
    assert last.wait() == 0
    assert f"training killed: 0.00/{STEPS / 1000:.2f}k" not in last.stderr.read().decode()  # it did not start anew
    assert trained(tmp_path / "sae/killed") == trained(tmp_path / "sae/undisturbed")
    assert not list((tmp_path / "sae").glob(".*"))


@pytest.mark.slow
def test_training_ends_without_checkpoints_where_the_disk_has_no_room_for_one(job, tmp_path):
    undisturbed = job("undisturbed")
    assert undisturbed.wait() == 0
    weights = (tmp_path / "sae/undisturbed/sae_weights.safetensors").stat().st_size
    crowded = job("crowded", largest_file=2 * weights)  # a checkpoint has Adam's two moments, too
    errors = crowded.communicate()[1].decode()
    assert crowded.returncode == 0, errors
    assert re.search(r"no checkpoint at step \d+: .*: writing failed \(.*\); .*; going on without it", errors)
    assert trained(tmp_path / "sae/crowded") == trained(tmp_path / "sae/undisturbed")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_told_to_stop_saves_its_last_step(job, tmp_path, number):
    process = job("stopped")
    folder = tmp_path / "sae/.stopped.checkpoints"
    wait_for_a_checkpoint(folder, process)
    before = max(path.name for path in folder.glob("step-*"))
    time.sleep(0.2)
    while process.poll() is None:  # Slurm sends it more than once
        process.send_signal(number)
        time.sleep(0.01)
    assert process.returncode == 128 + number
    assert "Traceback" not in process.communicate()[1].decode()
    assert max(path.name for path in folder.glob("step-*")) > before
    again = job("stopped")
    assert again.wait() == 0
    undisturbed = job("undisturbed")
    assert undisturbed.wait() == 0
    assert trained(tmp_path / "sae/stopped") == trained(tmp_path / "sae/undisturbed")
    shutil.rmtree(tmp_path / "sae")
