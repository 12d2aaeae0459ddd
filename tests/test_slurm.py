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

from workflow import BASES, ROOT, RULES, by_hand, new_checkout, resources_of_jobs, snakemake, variables_of


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
        assert re.search(r"^ +\*\*growing\(mem_mb=.+, runtime=.+\),$", body, re.MULTILINE), name


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


def through_slurm(checkout, targets, *configs, options=()):
    """The finished process of `snakemake --profile slurm` on the tiny config; it looks early whether a job has ended."""
    soon = ("--slurm-init-seconds-before-status-checks", "3")
    targets = [targets] if isinstance(targets, str) else targets
    command = ("snakemake", "--profile", "slurm", *soon, *options, "--configfile", "tests/tiny.yaml", *configs, "--", *targets)
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


LONG = "results/tiny/sae/topk-k8"  # trained for some seconds with long.yaml


@pytest.fixture(scope="module")
def undisturbed(checkout):
    """The files of LONG, trained without Slurm and left alone."""
    (checkout / "long.yaml").write_text("training: {epochs: 60}")
    process = snakemake(checkout, LONG, "--configfile", "tests/tiny.yaml", "long.yaml")
    assert process.returncode == 0, process.stdout + process.stderr
    return files_of(checkout / LONG)


def files_of(sae):
    return {path.name: path.read_bytes() for path in sae.glob("*.safetensors")}


def disturbed(checkout, disturb, options=()):
    """What came of LONG when `disturb(id of its job)` was called half-way: the process, its jobs, the steps they began at."""
    log = checkout / "results/tiny/logs/train_sae/topk-k8.log"
    shutil.rmtree(checkout / LONG, ignore_errors=True)
    log.unlink(missing_ok=True)
    before = len(jobs_of("train_sae"))
    errors = []

    def disturb_once_training():
        try:
            eventually(lambda: log.exists() and "training topk-k8: 0.00/4.69k" in log.read_text())
            time.sleep(1)
            disturb(jobs_of("train_sae")[-1]["JobId"])
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=disturb_once_training, daemon=True)
    thread.start()
    process = through_slurm(checkout, LONG, "long.yaml", options=options)
    thread.join()
    assert (process.returncode, errors) == (0, []), process.stdout + process.stderr
    assert not list((checkout / "results/tiny/sae").glob(".*"))
    return process, jobs_of("train_sae")[before:], re.findall(r"training topk-k8: (\S+)/4.69k \[00:00<", log.read_text())


def eventually(holds, seconds=120):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def slurm(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def state_of_job(job):
    return slurm("squeue", "--noheader", "--states=all", "--format=%T", "--jobs", job).strip()


def let_it_have_its_turn(job):
    """Slurm has a job that it took back wait for two minutes before it may start again."""
    eventually(lambda: state_of_job(job) == "PENDING")
    slurm("scontrol", "update", f"JobId={job}", "StartTime=now")


@pytest.mark.slow
def test_a_training_job_that_is_cancelled_goes_on_from_its_checkpoint(checkout, undisturbed):
    process, (first, second), (start,) = disturbed(checkout, lambda job: slurm("scancel", job))
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    # It might have had too little: its successor has more, of time as much as the partition gives.
    assert [(job["MinMemoryNode"], job["TimeLimit"]) for job in (first, second)] == [
        ("4000M", "04:00:00"),
        ("8000M", "05:00:00"),
    ]
    # Its shell waited for the stage, which Slurm would else kill at its last act.
    assert "returned non-zero exit status 143" in process.stderr
    assert start != "0.00"
    assert files_of(checkout / LONG) == undisturbed


def requeue(job):
    slurm("scontrol", "requeue", job)
    let_it_have_its_turn(job)


def preempt(job):
    slurm("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true")
    let_it_have_its_turn(job)


def lose_the_node(job):
    node = slurm("sinfo", "--noheader", "--format=%n").split()[0]
    slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")  # until Slurm hears of it again
    eventually(lambda: subprocess.run(["pgrep", "-x", "slurmstepd"], capture_output=True, check=False).returncode == 1)
    let_it_have_its_turn(job)


@pytest.mark.slow
@pytest.mark.parametrize("disturb", [requeue, preempt, lose_the_node])
def test_a_training_job_that_slurm_takes_back_goes_on_in_its_next_turn(checkout, undisturbed, disturb):
    _, (job,), (start,) = disturbed(checkout, disturb)
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")
    assert start != "0.00"
    assert files_of(checkout / LONG) == undisturbed


@pytest.mark.slow
def test_a_training_job_that_is_suspended_goes_on(checkout, undisturbed):
    def suspend(job):
        slurm("scontrol", "suspend", job)
        eventually(lambda: state_of_job(job) == "SUSPENDED")
        time.sleep(10)  # while Snakemake looks what it does
        slurm("scontrol", "resume", job)

    _, (job,), starts = disturbed(checkout, suspend)
    assert (job["JobState"], job["Restarts"], starts) == ("COMPLETED", "0", ["0.00"])
    assert files_of(checkout / LONG) == undisturbed


@pytest.mark.slow
def test_a_training_job_that_is_preempted_for_good_goes_on_as_another(checkout, undisturbed):
    def preempt_for_good(job):
        slurm("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true")
        eventually(lambda: state_of_job(job) == "PREEMPTED")

    spare = ("--set-resources", "gpu_rules:slurm_partition=spare")
    _, (first, second), (start,) = disturbed(checkout, preempt_for_good, options=spare)
    assert (first["JobState"], second["JobState"]) == ("PREEMPTED", "COMPLETED")
    assert start != "0.00"
    assert files_of(checkout / LONG) == undisturbed


@pytest.mark.slow
def test_jobs_of_an_array_are_each_its_own(checkout):
    """One of three is cancelled, by the number that its lock file tells, and submitted again."""
    (checkout / "long.yaml").write_text("training: {epochs: 60}")
    saes = [f"results/tiny/sae/{name}" for name in ("batch_topk-k4", "batch_topk-k8", "wta-k5")]
    cancelled = []

    def cancel_one():
        eventually(lambda: list((checkout / "results/tiny/sae").glob(".*.lock")))
        (lock,) = (checkout / "results/tiny/sae").glob(".*.lock")
        eventually(lambda: lock.read_text().endswith("}\n"))
        job = json.loads(lock.read_text())["slurm_job"]
        slurm("scancel", job)
        cancelled.append(job)

    thread = threading.Thread(target=cancel_one, daemon=True)
    thread.start()
    process = through_slurm(checkout, saes, "long.yaml", options=("--slurm-array-jobs", "train_sae"))
    thread.join()
    assert process.returncode == 0, process.stdout + process.stderr
    assert re.fullmatch(r"\d+_\d", cancelled[0])
    assert all((checkout / sae / "sae_weights.safetensors").exists() for sae in saes)
    of_the_array = [job for job in jobs_of("train_sae") if "ArrayTaskId" in job]
    assert sorted(job["JobState"] for job in of_the_array) == ["CANCELLED", "COMPLETED", "COMPLETED"]


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
