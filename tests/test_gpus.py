"""Jobs on the GPUs of one machine, which a false nvidia-smi makes up: they take turns, each on a GPU of its own."""

import os
import subprocess
import sys

import pytest
import torch

from workflow import ROOT, by_hand
from wta_sae.base import gpus
from wta_sae.machine import devices

A_GPU = "GPU {0}: NVIDIA H200 (UUID: GPU-{0})\n  MIG 1g.18gb Device 0: (UUID: MIG-{0})\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Gives this machine so many GPUs, as far as nvidia-smi tells; None takes the driver away."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def with_gpus(count):
        listing = "" if count is None else "".join(A_GPU.format(index) for index in range(count))
        program.write_text(f"#!/bin/sh\nprintf '{listing}'\nexit {9 if count is None else 0}\n")
        program.chmod(0o755)

    return with_gpus


@pytest.mark.parametrize(
    "count, chosen, names",
    [
        (None, None, []),
        (None, "0", []),  # Slurm sets the variable for a GPU in name only, too
        (2, None, ["0", "1"]),
        (2, "1", ["1"]),
        (2, "GPU-0, GPU-1", ["GPU-0", "GPU-1"]),
        (2, "", []),
        (2, "-1", []),
    ],
)
def test_the_gpus_that_cuda_may_use_are_counted(machine, monkeypatch, count, chosen, names):
    machine(count)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert gpus.visible_gpus() == names


@pytest.mark.parametrize("count, options, together", [(None, (), 3), (1, (), 1), (2, ("--resources", "mem_mb=9000"), 2)])
def test_jobs_that_want_a_gpu_take_turns_where_there_is_one(machine, tmp_path, count, options, together):
    """The project's Snakefile with one more rule, whose three jobs write down when they ran."""
    machine(count)
    for name in ("config.yaml", "constraints.txt", "src", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "Snakefile").write_text(
        f"include: '{ROOT}/Snakefile'\n"
        "rule turn:\n    output: 'turn/{n}'\n    resources: gpu=1\n"
        "    shell: 'date +%s%N > {output}; sleep 1; date +%s%N >> {output}'\n"
    )
    run = by_hand(tmp_path, "snakemake", "--cores", "3", *options, "--", "turn/1", "turn/2", "turn/3")
    assert run.returncode == 0, run.stderr
    spans = [tuple(map(int, file.read_text().split())) for file in (tmp_path / "turn").iterdir()]
    assert max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) == together


@pytest.fixture
def job(tmp_path):
    """Starts a process that takes one of two GPUs, says which and holds it; all end with the test."""
    processes = []

    def start(**environment):
        code = "from wta_sae.base.gpus import take_gpu; print(take_gpu(2), take_gpu(2), flush=True); input()"
        variables = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
        variables |= {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path)} | environment
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables, text=True
        )
        processes.append(process)
        first, again = process.stdout.readline().split()
        assert first == again
        return process, int(first)

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_each_job_holds_a_gpu_of_its_own_until_it_ends(job):
    first, one = job()
    _, other = job()
    assert (one, other) == (0, 1)
    assert job()[1] in (0, 1)  # more jobs than GPUs share them
    first.kill()
    first.wait()
    assert job()[1] == 0


def test_a_gpu_is_held_by_its_name(job):
    assert job(CUDA_VISIBLE_DEVICES="4,5")[1] == 0
    assert job(CUDA_VISIBLE_DEVICES="5,4")[1] == 0
    assert job()[1] == 0


def test_torch_works_on_the_gpu_that_the_job_took(monkeypatch):
    current = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(devices, "take_gpu", lambda count: count - 1)
    assert devices.best_device() == torch.device("cuda", 3)
    assert current == [torch.device("cuda", 3)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.best_device() == torch.device("cpu")
