"""One command at a time writes an output: on one machine the second waits, from another one it stops."""

import errno
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from workflow import ROOT, RULES
from wta_sae.__main__ import main, outputs_of
from wta_sae.base import ownership
from wta_sae.base.errors import PassingError
from wta_sae.base.ownership import lock_path, owning

ELSEWHERE = replace(ownership._this_process(), host="node7", boot="another", process=123, slurm_job="4711")


def can_be_owned(path):
    try:
        with owning([path]):
            return True
    except PassingError:
        return False


def names(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture(autouse=True)
def squeue(tmp_path_factory, monkeypatch):
    """What Slurm answers, as a shell script; without one, it cannot be reached."""
    program = tmp_path_factory.mktemp("bin") / "squeue"
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def answers(script):
        program.write_text(f'#!/bin/sh\necho "$@" > {program}.asked\n{script}\n')
        program.chmod(0o755)
        return Path(f"{program}.asked")

    answers("echo 'Unable to contact slurm controller' >&2; exit 1")
    return answers


@pytest.fixture
def holding():
    """Starts a process that owns outputs until a line comes; all end with the test."""
    processes = []

    def start(*paths):
        code = "import sys; from wta_sae.base.ownership import owning\n"
        code += "with owning(sys.argv[1:]): print('mine', flush=True); input()"
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, paths)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_an_owner_says_who_it_is_and_leaves_nothing(tmp_path):
    with owning([tmp_path / "sub/b.json", tmp_path / "a"]):
        for path in (tmp_path / "a", tmp_path / "sub/b.json"):
            owner = json.loads(lock_path(path).read_text())
            assert (owner["process"], owner["host"]) == (os.getpid(), os.uname().nodename)
    assert (names(tmp_path), names(tmp_path / "sub")) == (["sub"], [])


@pytest.mark.parametrize("end", ["well", "killed"])
def test_a_second_writer_waits_until_the_first_has_ended_however(tmp_path, holding, end):
    first = holding(tmp_path / "a")
    assert first.stdout.readline() == "mine\n"
    second = holding(tmp_path / "0", tmp_path / "a")  # one output in common is enough
    line = second.stderr.readline()
    assert re.fullmatch(rf"{tmp_path}/a: written by process {first.pid} on \S+, since .+; waiting for it\n", line)
    third = holding(tmp_path / "0", tmp_path / "c")
    unrelated = holding(tmp_path / "d")
    assert unrelated.stdout.readline() == "mine\n"
    assert re.fullmatch(rf"{tmp_path}/0: written by process {second.pid} on .*; waiting for it\n", third.stderr.readline())
    if end == "well":
        first.stdin.write("\n")
        first.stdin.flush()
    else:
        first.kill()
    assert second.stdout.readline() == "mine\n"
    second.stdin.write("\n")
    second.stdin.flush()
    assert third.stdout.readline() == "mine\n"


def test_a_writer_that_waits_can_be_told_to_stop(tmp_path, holding):
    holding(tmp_path / "a").stdout.readline()
    second = holding(tmp_path / "a")
    second.stderr.readline()
    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=10) == -signal.SIGTERM


def test_what_an_owner_forks_does_not_hold_on_after_its_end(tmp_path, holding):
    code = (
        "import os, sys, time; from wta_sae.base.ownership import owning\n"
        "with owning(sys.argv[1:]):\n    if os.fork():\n        os.kill(os.getpid(), 9)\n    time.sleep(30)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=False, stdout=subprocess.DEVNULL)
    started = time.monotonic()
    with owning([tmp_path / "a"]):
        assert time.monotonic() - started < 10


def test_a_lock_of_another_machine_stops_a_second_writer(tmp_path):
    lock_path(tmp_path / "a").write_text(json.dumps(asdict(ELSEWHERE)))
    line = (
        rf"{tmp_path}/a: written by process 123 on node7, Slurm job 4711, since .+; wait for it, or cancel it "
        rf"\(scancel 4711\); if it has ended, delete {tmp_path}/.a.lock and run again"
    )
    with pytest.raises(PassingError, match=line), owning([tmp_path / "a"]):
        pass
    assert names(tmp_path) == [".a.lock"]


@pytest.mark.parametrize(
    "answer, ended",
    [
        ("echo RUNNING", False),
        ("echo COMPLETING", False),
        ("true", True),  # squeue lists no job that has ended
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", True),
        ("echo 'Unable to contact slurm controller' >&2; exit 1", False),
    ],
)
def test_slurm_is_asked_whether_an_owner_elsewhere_has_ended(tmp_path, squeue, answer, ended):
    lock_path(tmp_path / "a").write_text(json.dumps(asdict(ELSEWHERE)))
    asked = squeue(answer)
    assert can_be_owned(tmp_path / "a") == ended
    assert asked.read_text().split()[-2:] == ["--jobs", "4711"]


@pytest.mark.parametrize("restarts, ended", [("1", True), ("", False)])
def test_a_job_that_slurm_put_on_another_node_takes_over(tmp_path, monkeypatch, restarts, ended):
    lock_path(tmp_path / "a").write_text(json.dumps(asdict(ELSEWHERE)))
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("SLURM_RESTART_COUNT", restarts)
    assert can_be_owned(tmp_path / "a") == ended


@pytest.mark.parametrize(
    ("variables", "number"),
    [
        ({}, ""),
        ({"SLURM_JOB_ID": "16"}, "16"),
        ({"SLURM_JOB_ID": "16", "SLURM_ARRAY_JOB_ID": "15", "SLURM_ARRAY_TASK_ID": "1"}, "15_1"),
    ],
    ids=["none", "a job", "one of an array"],
)
def test_a_lock_says_which_job_to_cancel(tmp_path, monkeypatch, variables, number):
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with owning([tmp_path / "a"]):
        assert json.loads(lock_path(tmp_path / "a").read_text())["slurm_job"] == number


BEFORE_A_RESTART = replace(ELSEWHERE, host=os.uname().nodename)


@pytest.mark.parametrize(
    "left",
    ["", "{", '{"host": "x"}', json.dumps(asdict(BEFORE_A_RESTART))],
    ids=["nothing", "no JSON", "another file", "an owner"],  # of pytest's own the last would have the time in it
)
def test_what_a_dead_owner_of_this_machine_left_is_taken_over(tmp_path, left):
    lock_path(tmp_path / "a").write_text(left)
    with owning([tmp_path / "a"]):
        pass
    assert names(tmp_path) == []


def test_a_file_system_without_locks_is_worked_on_all_the_same(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with owning([tmp_path / "a"]):
        assert names(tmp_path) == [".a.lock"]


def test_a_lock_file_on_a_full_disk_is_told_as_that(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(PassingError, match=r"No space left on device\); free disk space"), owning([tmp_path / "a"]):
        pass


def test_a_stage_owns_all_that_it_writes(tmp_path, monkeypatch, capsys):
    owned = []
    monkeypatch.setattr("wta_sae.stages.table2.run", lambda _: owned.extend(names(tmp_path)))
    assert main(["table2", "--contributions", "x", "--template", "y", "--out", str(tmp_path / "table2.tex")]) == 0
    assert owned == [".table2.tex.lock"]
    lock_path(tmp_path / "table2.tex").write_text(json.dumps(asdict(ELSEWHERE)))
    assert main(["table2", "--contributions", "x", "--template", "y", "--out", str(tmp_path / "table2.tex")]) == 1
    assert capsys.readouterr().err.startswith(f"wta_sae table2: {tmp_path}/table2.tex: written by process 123 on node7")


def test_every_output_of_a_rule_is_known_as_one():
    """By its name, which is the flag."""
    outputs = [
        output[1] for body in RULES.values() if (output := re.search(r"^ +output:\n((?:^ {8}.*\n)+)", body, re.MULTILINE))
    ]
    names = {name for output in outputs for name in re.findall(r"^ {8}(\w+)=", output, re.MULTILINE)}
    assert names == {"out", "pdf", "png", "latents_out", "world_out"}
    for name in names:
        assert outputs_of({name: "path"}) == ["path"], name
    assert outputs_of({"out": ["a", "b"], "latents_out": None, "layout": "c"}) == ["a", "b"]
