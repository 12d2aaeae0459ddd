"""The slurm profile: what it asks for, and for real on a one-node Slurm that the slow tests start and stop."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
import yaml

from workflow import BASES, ROOT, RULES, by_hand, new_checkout, resources_of_jobs, variables_of


def test_the_profile_holds_for_every_rule_that_wants_a_gpu(tmp_path):
    """Those that train several SAEs at once, too, which no profile can name; and a rule that is named has its own."""
    # The one ablation trains on a cache of its own, so that no other SAE is trained with it.
    (tmp_path / "together.yaml").write_text("run: never-run\nablations: [packing]\ntraining: {saes_together: 3}")
    files = ("--configfile", "tests/tiny.yaml", str(tmp_path / "together.yaml"))
    own = ("--set-resources", "gpu_rules:slurm_partition=gpus", "evaluate_texts:slurm_partition=big")
    process = by_hand(ROOT, "snakemake", "--profile", "slurm", "--dry-run", *own, *files)
    assert process.returncode == 0, process.stderr
    asked = resources_of_jobs(process)
    partitions = {rule: re.findall(r"slurm_partition=(\w+)", words) for rule, words in asked if "gpu=1" in words}
    assert {"train_language_model", "cache_activations", "train_sae", "train_saes_1", "calibrate"} <= set(partitions)
    assert partitions == {rule: ["big" if rule == "evaluate_texts" else "gpus"] for rule in partitions}
    assert not [rule for rule, words in asked if "slurm_partition" in words and rule not in partitions]
    assert yaml.safe_load((ROOT / "slurm/config.yaml").read_text())["set-resources"] == {
        "gpu_rules": {"slurm_partition": "gpu"}
    }


def test_every_submitted_job_asks_for_more_at_each_retry():
    submitted = {name: body for name, body in RULES.items() if "localrule: True" not in body}
    assert len(submitted) > 15
    for name, body in submitted.items():
        while "resources:" not in body:
            body = RULES[name := BASES[name]]
        for resource in ("mem_mb", "runtime"):
            assert re.search(rf"^ +{resource}=growing\(.+\),$", body, re.MULTILINE), (name, resource)


NODE = ROOT / "tests/slurm/one_node.sh"
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue", "scontrol")
LIMIT = "900"  # seconds; a Snakemake that waits for Slurm for ever is deaf to SIGTERM


@pytest.fixture(scope="module")
def one_node(tmp_path_factory):
    if os.getuid() != 0:
        pytest.skip("a one-node Slurm wants to be started by root")
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"{missing[0]} is missing; on Debian: apt-get install slurmctld slurmd slurm-client munge")
    if os.path.lexists("/etc/slurm/slurm.conf"):
        pytest.skip("/etc/slurm/slurm.conf exists: this machine has a Slurm already")
    directory = tmp_path_factory.mktemp("slurm")
    try:
        subprocess.run([NODE, "start", directory], check=True)
        yield
    finally:
        subprocess.run([NODE, "stop", directory], check=True)


def through_slurm(checkout, target, *configs, options=()):
    """The finished process of `snakemake --profile slurm` on the tiny config; it looks early whether a job has ended."""
    soon = ("--slurm-init-seconds-before-status-checks", "3")
    command = ("snakemake", "--profile", "slurm", *soon, *options, "--configfile", "tests/tiny.yaml", *configs, "--", target)
    return by_hand(checkout, "timeout", "-k", "5", LIMIT, *command)


def jobs_of(rule):
    """What Slurm knows of the jobs of a rule, in the order of their submission: key -> value."""
    listing = subprocess.run(["scontrol", "--oneliner", "show", "job"], capture_output=True, text=True, check=True).stdout
    jobs = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in listing.splitlines()]
    own = [job for job in jobs if re.match(rf"rule_{rule}(_wildcards|$)", job.get("Comment", ""))]
    return sorted(own, key=lambda job: int(job["JobId"]))


@pytest.fixture(scope="module")
def checkout(one_node, tmp_path_factory):
    """A fresh checkout in which one SAE was trained and evaluated from nothing, every job through Slurm."""
    checkout = new_checkout(tmp_path_factory.mktemp("cluster") / "with a space")
    process = through_slurm(checkout, "results/tiny/metrics/topk-k4/tokens.json")
    assert process.returncode == 0, process.stdout + process.stderr
    return checkout


@pytest.mark.slow
def test_every_job_goes_through_slurm_and_gets_what_it_asks_for(checkout):
    assert (checkout / "results/tiny/metrics/topk-k4/tokens.json").stat().st_size > 100
    for rule in ("collect_text", "train_tokenizer", "tokenize"):
        for job in jobs_of(rule):
            assert (job["JobState"], job["Partition"], job.get("TresPerJob")) == ("COMPLETED", "cpu", None)
    for rule in ("train_language_model", "cache_activations", "train_sae", "evaluate_tokens"):
        (job,) = jobs_of(rule)
        assert (job["JobState"], job["Partition"], job["TresPerJob"]) == ("COMPLETED", "gpu", "gres:gpu:1")
        assert (job["MinMemoryNode"], job["Restarts"]) == ("4000M", "0")


@pytest.mark.slow
def test_a_job_that_is_refused_shows_its_log_and_its_retry_ends_at_once_with_the_same(checkout):
    (checkout / "far.yaml").write_text("training: {learning_rate: 1.0e+30}")
    process = through_slurm(checkout, "results/tiny/sae/batch_topk-k4", "far.yaml", options=("--retries", "1"))
    assert process.returncode == 1
    line = "wta_sae train-sae: training batch_topk-k4 diverged at step 10 "
    assert process.stderr.count(line) == 2
    jobs = [job for job in jobs_of("train_sae") if job["JobState"] == "FAILED"]
    assert [(job["MinMemoryNode"], job["TimeLimit"]) for job in jobs] == [("4000M", "04:00:00")] * 2  # no more would help
    assert not (checkout / "results/tiny/sae/batch_topk-k4").exists()


@pytest.mark.slow
def test_a_training_job_that_is_cancelled_goes_on_from_its_checkpoint(checkout):
    (checkout / "long.yaml").write_text("training: {epochs: 60}")
    log = checkout / "results/tiny/logs/train_sae/topk-k8.log"
    cancelled = []

    def cancel_once_training():
        while not (log.exists() and "training topk-k8: 0.00/4.69k" in log.read_text()):
            time.sleep(0.1)
        time.sleep(1)
        job = jobs_of("train_sae")[-1]
        subprocess.run(["scancel", job["JobId"]], check=True)
        cancelled.append(job["JobId"])

    threading.Thread(target=cancel_once_training, daemon=True).start()
    process = through_slurm(checkout, "results/tiny/sae/topk-k8", "long.yaml")
    assert process.returncode == 0, process.stdout + process.stderr
    *_, first, second = jobs_of("train_sae")
    assert [first["JobId"]] == cancelled
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("4000M", "8000M")  # it might have been too little
    # Its shell waited for the stage, which Slurm would else kill at its last act.
    assert "returned non-zero exit status 143" in process.stderr
    (start,) = re.findall(r"training topk-k8: (\S+)/4.69k \[00:00<", log.read_text())
    assert start != "0.00"
    assert (checkout / "results/tiny/sae/topk-k8/sae_weights.safetensors").exists()
    assert not list((checkout / "results/tiny/sae").glob(".*"))


@pytest.mark.slow
def test_a_job_that_slurm_does_not_take_shows_no_other_attempts_log(checkout):
    log = checkout / "results/tiny/logs/train_sae/topk-k4.log"
    log.write_text("the words of an earlier run\n")
    too_much = ("--retries", "0", "--set-resources", "train_sae:mem_mb=9999999", "--forcerun", "results/tiny/sae/topk-k4")
    process = through_slurm(checkout, "results/tiny/sae/topk-k4", options=too_much)
    assert process.returncode == 1
    assert "SLURM sbatch failed" in process.stderr
    assert "the words of an earlier run" not in process.stdout + process.stderr


@pytest.mark.slow
def test_the_successor_of_an_orphaned_job_waits_for_it(checkout):
    """Snakemake is killed, and started again: Slurm goes on with the job of the first, here held up until it is waited for."""
    (checkout / "orphan.yaml").write_text("training: {epochs: 20}")
    without_gpu = ("--set-resources", "gpu_rules:slurm_partition=cpu", "gpu_rules:gpu=0")
    command = ("snakemake", "--profile", "slurm", *without_gpu, "--configfile", "tests/tiny.yaml", "orphan.yaml", "--")
    target = "results/tiny/sae/wta-k8"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    first = subprocess.Popen([*command, target], cwd=checkout, env=variables_of(checkout), start_new_session=True, **quiet)
    lock, log = checkout / "results/tiny/sae/.wta-k8.lock", checkout / "results/tiny/logs/train_sae/wta-k8.log"
    while not (lock.exists() and lock.read_text().endswith("}\n")):
        assert first.poll() is None
        time.sleep(0.05)
    orphan = json.loads(lock.read_text())
    os.kill(orphan["process"], signal.SIGSTOP)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    by_hand(checkout, *command[:-1], "--unlock")
    lines = []

    def let_go_once_awaited():
        while not lines:
            time.sleep(0.1)
            lines.extend(re.findall(".*waiting for it", log.read_text() if log.exists() else ""))
        os.kill(orphan["process"], signal.SIGCONT)

    threading.Thread(target=let_go_once_awaited, daemon=True).start()
    process = through_slurm(checkout, target, "orphan.yaml", options=without_gpu)
    assert process.returncode == 0, process.stdout + process.stderr
    *_, before, successor = jobs_of("train_sae")
    assert (before["JobId"], before["JobState"], successor["JobState"]) == (orphan["slurm_job"], "COMPLETED", "COMPLETED")
    name = f"process {orphan['process']} on {orphan['host']}, Slurm job {before['JobId']}, since {orphan['since']}"
    assert lines == [f"{checkout}/{target}: written by {name}; waiting for it"]
    assert not list((checkout / "results/tiny/sae").glob(".*"))


@pytest.mark.slow
def test_a_second_slurm_is_refused(one_node, tmp_path):
    before = Path("/etc/slurm/slurm.conf").readlink()
    for action, refusal in (("start", "this machine has a Slurm already"), ("stop", "nothing of ours runs there")):
        process = subprocess.run([NODE, action, tmp_path / "other"], capture_output=True, text=True, check=False)
        assert process.returncode == 1
        assert refusal in process.stderr
    assert Path("/etc/slurm/slurm.conf").readlink() == before
