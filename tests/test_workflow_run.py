"""The whole workflow on the tiny config, run for real in a checkout of its own, then disturbed in every way a user might."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from test_documentation import documented_metrics
from workflow import TINY, by_hand, planned_jobs, snakemake, start_snakemake, variables_of
from workflow_times import rule_times

pytestmark = pytest.mark.slow

ADVICE = r"; delete (\S+), ask for (\S+) by that name alone, then run the same command again$"
ARTIFACTS = (
    *("table1.tex", "table_published.tex", "table_matched.tex", "table_claims.tex", "table2.tex", "numbers.tex"),
    *("figure1.pdf", "figure2.pdf", "figure3.pdf", "figure4.pdf", "figure5.pdf", "figure1.png"),
    *("truth.tex", "table_truth.tex", "outlook.tex", "table_outlook.tex", "table_provenance.tex", "reproduction.md"),
)


def plan(checkout, *arguments):
    return planned_jobs(snakemake(checkout, "--dry-run", *arguments, *TINY))


def leftovers(checkout):
    return [path for path in (checkout / "results").rglob(".*") if path.name != ".snakemake_timestamp"]


def test_every_artifact_is_there(finished):
    for name in ARTIFACTS:
        assert (finished / "results" / name).stat().st_size > 100, name
        assert (finished / "results" / name).read_bytes() == (finished / "results/tiny" / name).read_bytes()
    assert (finished / "results" / "paper.pdf").read_bytes().startswith(b"%PDF")
    assert leftovers(finished) == []


def test_metrics_are_tidy_and_whole(finished):
    metrics = pd.read_csv(finished / "results/tiny/metrics.csv")
    assert not metrics["value"].isna().any()
    assert all(re.fullmatch("|".join(documented_metrics()), name) for name in metrics["metric"].unique())
    keys = ["sae", "sparsity_rate", "inference", "metric"]
    assert not metrics.duplicated(keys).any()
    of_language_model = metrics["zipf_exponent"].isna()
    metrics, synthetic = metrics[of_language_model], metrics[~of_language_model]
    planted = {
        f"{sae}-zipf{zipf}-seed{seed}"
        for sae in ("topk-k2", "batch_topk-k2", "wta-k16")
        for zipf in (0, 1)
        for seed in (42, 43)
    }
    assert set(synthetic["sae"]) == planted
    assert synthetic.loc[synthetic["metric"] == "matched_cosine", "value"].between(0.2, 1).all()
    rules = metrics.dropna(subset=["inference"]).groupby("variant")["inference"].agg(set)
    matched = {"matched_topk", "matched_threshold", "matched_per_latent"}
    assert rules.to_dict() == {
        "batch_topk": {"threshold"} | matched,
        "topk": {"topk"} | matched,
        "wta": {"described", "per_latent", "released"} | matched,
    }
    ablations = metrics[metrics["sae"].str.startswith("wta-k5")].groupby("sae")["ablation"].agg(lambda names: names.iloc[0])
    assert ablations.dropna().to_dict() == {f"wta-k5-{name}": name for name in ("gate", "encoder_bias", "packing", "all")}
    seeds = metrics.groupby("seed")["sae"].agg(set)
    assert seeds[43] == {f"{name}-seed43" for name in ("topk-k4", "batch_topk-k4", "wta-k5", "wta-k8")}
    wta = metrics[metrics["variant"] == "wta"]
    # 1e-6 and 1e-4 of 512 tokens both give one winner: one SAE, a row for each rate.
    assert set(wta.loc[wta["sae"] == "wta-k1", "sparsity_rate"]) == {1e-6, 1e-4}
    wide = metrics.pivot_table(index=["sae", "inference"], columns="metric", values="value")
    assert not wide[["l0", "l0_budget", "explained_variance", "kl_div_score"]].isna().any().any()
    table1 = [("topk-k4", "topk"), ("batch_topk-k4-seed43", "threshold"), ("wta-k5", "described")]
    assert not wide.loc[table1, ["sae_test_accuracy", "tpp_threshold_20_total_metric", "subspace_cosine"]].isna().any().any()
    for sae, rule in (("topk-k4", "topk"), ("wta-k8", "matched_topk")):
        assert wide.loc[(sae, rule), "l0"] == pytest.approx(4, abs=0.01)
    released = wide.xs("released", level="inference")["l0"]
    # Winners per sequence: F / L = 256 / 64 = 4 at every rate, less what BOS and silent latents take.
    assert ((released > 3) & (released <= 4.2)).all()


def test_every_job_says_what_it_took(finished):
    times = rule_times(finished / "results/tiny")
    assert times.jobs["evaluate_tokens"] == 18
    assert times.jobs.sum() >= len(list((finished / "results/tiny/benchmarks").rglob("*.tsv")))
    assert (times[["processor", "longest", "megabytes"]] > 0).all(axis=None)


def test_a_second_run_does_nothing(finished):
    assert plan(finished) == {}


def test_one_figure_is_rebuilt_alone(checkout):
    (checkout / "results/figure1.pdf").unlink()
    assert plan(checkout, "results/figure1.pdf") == {"artifact": 1}
    (checkout / "results/tiny/figure1.pdf").unlink()
    assert plan(checkout, "results/figure1.pdf") == {"figure": 1, "artifact": 1}


def test_a_deleted_metric_file_is_rebuilt_alone_when_asked_for(checkout):
    core = "results/tiny/metrics/topk-k4/tokens.json"
    (checkout / core).unlink()
    assert plan(checkout) == {}  # no finished target needs it
    assert plan(checkout, core) == {"evaluate_tokens": 1}


def test_a_damaged_metric_file_is_made_anew_as_the_message_says(checkout):
    core = checkout / "results/tiny/metrics/topk-k4/tokens.json"
    before = core.read_bytes()
    core.write_bytes(before[:-20])
    target = "results/tiny/table1.csv"
    failed = snakemake(checkout, target, *TINY)
    assert failed.returncode == 1
    (advice,) = set(re.findall(r"tokens.json: not valid JSON .* by the same command with (--forcerun \S+)", failed.stderr))
    again = snakemake(checkout, target, *TINY, *advice.split())
    assert again.returncode == 0, again.stderr
    assert core.read_bytes() == before


def test_another_run_leaves_this_ones_artifacts_alone(checkout):
    (checkout / "other.yaml").write_text("run: other")
    before = (checkout / "results/tiny/table2.tex").read_bytes()
    process = snakemake(checkout, "results/table2.tex", *TINY, "other.yaml")
    assert process.returncode == 0, process.stderr
    assert (checkout / "results/other/table2.tex").exists()
    assert (checkout / "results/tiny/table2.tex").read_bytes() == before
    assert plan(checkout, "results/table2.tex") == {
        "artifact": 1
    }  # the artifacts by the paper's names are those asked for last
    assert plan(checkout, "results/tiny/table2.tex") == {}


def test_touching_the_code_does_nothing_and_editing_it_reruns_just_what_uses_it(finished):
    file = finished / "src/wta_sae/metrics/geometry.py"
    before = file.read_text()
    time.sleep(1.1)  # file times of whole seconds
    file.touch()
    assert plan(finished) == {}
    try:
        file.write_text(before + "\n# edited\n")
        jobs = plan(finished)
        assert jobs["evaluate_tokens"] == 18
        assert not {"train_sae", "evaluate_texts", "calibrate", "cache_activations", "cache_texts"} & set(jobs)
    finally:
        file.write_text(before)
    assert plan(finished) == {}


def test_an_edit_during_a_job_is_noticed_when_it_has_ended(checkout):
    """Of code that the job has imported, and of a file that it reads."""
    (checkout / "long.yaml").write_text("training: {epochs: 30}")
    target, command = "results/tiny/sae/topk-k4", (*TINY, "long.yaml")
    process = start_snakemake(checkout, target, *command)
    lock = checkout / "results/tiny/sae/.topk-k4.lock"
    while not lock.exists():
        assert process.poll() is None
        time.sleep(0.05)
    for _ in range(100):  # until it has imported its code, and trains
        if "/2.34k " in (checkout / "results/tiny/logs/train_sae/topk-k4.log").read_text():
            break
        time.sleep(0.1)
    assert process.poll() is None
    with (checkout / "src/wta_sae/variants/topk/rule.py").open("a") as file:
        file.write("# edited\n")
    assert process.wait() == 0
    assert planned_jobs(snakemake(checkout, "--dry-run", target, *command)) == {"train_sae": 1}


def test_a_changed_config_value_reruns_just_what_reads_it(finished, tmp_path):
    changed = tmp_path / "changed.yaml"
    changed.write_text("evaluation: {perturbed_latents: [2, 20, 50]}")
    jobs = planned_jobs(snakemake(finished, "--dry-run", *TINY, str(changed)))
    assert "evaluate_texts" in jobs
    assert not {"train_sae", "evaluate_tokens", "cache_activations", "cache_texts", "train_probes"} & set(jobs)


def test_the_same_command_by_hand_gives_the_same_sae(checkout, tmp_path):
    """The printed command can be pasted, and gives the same weights whatever the environment says of threads."""
    shutil.rmtree(checkout / "results/tiny/sae/wta-k8")
    process = snakemake(checkout, "--printshellcmds", "results/tiny/sae/wta-k8", *TINY)
    assert process.returncode == 0, process.stderr
    line = next(line for line in process.stderr.splitlines() if "python -m wta_sae train-sae" in line)
    command = line[line.index("python -m") : line.index(" > ")].replace(
        "--out results/tiny/sae/wta-k8", f"--out {tmp_path}/wta-k8"
    )
    process = by_hand(checkout, "sh", "-c", command, OMP_NUM_THREADS="2")  # the command says how many it takes
    assert process.returncode == 0, process.stderr
    ours, again = (folder / "wta-k8/sae_weights.safetensors" for folder in (checkout / "results/tiny/sae", tmp_path))
    assert ours.read_bytes() == again.read_bytes()


def test_a_damaged_shard_stops_training_with_its_name_and_leaves_no_sae(checkout):
    shard = next((checkout / "results/tiny/activations").glob("shard-00001*"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    shutil.rmtree(checkout / "results/tiny/sae/topk-k4")
    process = snakemake(checkout, "results/tiny/sae/topk-k4", *TINY)
    assert process.returncode == 1
    assert not (checkout / "results/tiny/sae/topk-k4").exists()
    assert leftovers(checkout) == []
    assert re.search(r"shard-00001.safetensors: damaged .*" + ADVICE, process.stderr, re.MULTILINE)


def test_freed_activations_are_made_again_for_a_new_sae_alone(checkout):
    before = trained(checkout)
    process = snakemake(checkout, "free_activations", *TINY)
    assert process.returncode == 0, process.stderr
    assert [path.name for path in (checkout / "results/tiny/activations").iterdir()] == ["manifest.json"]
    assert plan(checkout) == {}
    shutil.rmtree(checkout / "results/tiny/sae/topk-k8")
    command = ("results/tiny/sae/topk-k8", *TINY)
    failed = snakemake(checkout, *command)
    assert failed.returncode == 1
    line = "safetensors: no such file, as where a cache was freed" + ADVICE
    ((folder, name),) = set(re.findall(line, failed.stderr, re.MULTILINE))
    shutil.rmtree(checkout / folder)
    assert plan(checkout, name) == {"cache_activations": 1}
    for again in (name, command[0]):
        process = snakemake(checkout, again, *TINY)
        assert process.returncode == 0, process.stderr
    assert trained(checkout) == before
    assert not {"cache_activations", "train_sae"} & set(plan(checkout))  # the same shards: no other SAE is trained again


def test_two_commands_that_cache_in_one_folder_end_as_one(checkout, tmp_path):
    shutil.rmtree(checkout / "results/tiny/activations")
    process = snakemake(checkout, "--dry-run", "--printshellcmds", "results/tiny/activations/manifest.json", *TINY)
    (line,) = re.findall(r"(python -m wta_sae cache-activations .*) > ", process.stdout + process.stderr)
    command = line.replace("--out results/tiny/activations", f"--out {tmp_path}/activations").split()
    options = {"cwd": checkout, "env": variables_of(checkout), "stderr": subprocess.PIPE, "text": True}
    first = subprocess.Popen(command, **options)
    while not (tmp_path / ".activations.partial").exists():  # while it exists, the first one owns it
        assert first.poll() is None, first.communicate()
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)
    second = subprocess.Popen(command, **options)
    told = next((line for line in second.stderr if "waiting for it" in line), None)
    first.send_signal(signal.SIGCONT)
    errors = [process.communicate()[1] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], errors
    assert re.search(rf"activations: written by process {first.pid} on .*; waiting for it", told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a copy", "activations"]
    assert len(list((tmp_path / "activations").glob("shard-*"))) == 5


def test_a_job_killed_half_way_leaves_nothing_and_is_run_again(checkout):
    """The job itself is killed, found by the half-written folder that only it has."""
    shutil.rmtree(checkout / "results/tiny/activations")
    partial = checkout / "results/tiny/.activations.partial"
    kills = []

    def kill_once_writing():
        while not partial.exists() and not kills:
            time.sleep(0.01)
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
                if b"cache-activations" in arguments and (entry / "cwd").resolve() == checkout.resolve():
                    os.kill(int(entry.name), signal.SIGKILL)
                    kills.append(entry.name)

    killer = threading.Thread(target=kill_once_writing, daemon=True)
    killer.start()
    killed = snakemake(checkout, "results/tiny/activations/manifest.json", *TINY)
    assert kills
    assert killed.returncode == 1
    assert not (checkout / "results/tiny/activations").exists()
    again = snakemake(checkout, "results/tiny/activations/manifest.json", *TINY)
    assert again.returncode == 0, again.stderr
    assert (checkout / "results/tiny/activations/manifest.json").exists()
    assert leftovers(checkout) == []


def trained(checkout):
    """The SAEs' files by name; Snakemake's own time stamps set aside, and hidden folders not."""
    sae = checkout / "results/tiny/sae"
    files = [path for path in sae.rglob("*") if path.is_file() and path.name != ".snakemake_timestamp"]
    return {str(path.relative_to(sae)): path.read_bytes() for path in files}


def checkpoints(checkout):
    return set((checkout / "results/tiny/sae").glob(".*.checkpoints/step-*.safetensors"))


def test_training_killed_at_random_moments_with_snakemake_ends_with_the_same_bytes(checkout):
    """The power fails: snakemake and its two jobs, one with three SAEs and one with one, get no chance to clean up."""
    (checkout / "long.yaml").write_text("training: {epochs: 12, saes_together: 3}")
    targets = [f"results/tiny/sae/{name}" for name in ("topk-k4", "wta-k5-encoder_bias")]
    often = [f"{rule}:checkpoint_seconds=0" for rule in ("train_sae", "train_saes_1")]
    command = [*targets, *TINY, "long.yaml"]
    shutil.rmtree(checkout / "results/tiny/sae")
    undisturbed = snakemake(checkout, *command)
    assert undisturbed.returncode == 0, undisturbed.stderr
    expected = trained(checkout)
    assert {name.split("/")[0] for name in expected} == {"topk-k4", "batch_topk-k4", "wta-k5", "wta-k5-encoder_bias"}
    shutil.rmtree(checkout / "results/tiny/sae")
    command += ["--set-resources", *often]
    random.seed(0)
    for _ in range(3):
        before = checkpoints(checkout)
        process = start_snakemake(checkout, *command)
        while not checkpoints(checkout) - before:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(random.uniform(0, 1))
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert checkpoints(checkout)
        locked = snakemake(checkout, *command)
        assert "--unlock" in locked.stderr
        assert snakemake(checkout, "--unlock", *command).returncode == 0
    again = snakemake(checkout, *command)
    assert again.returncode == 0, again.stderr
    assert " 0.00/" not in (checkout / "results/tiny/logs/train_sae/topk-k4.log").read_text()  # it did not start anew
    assert trained(checkout) == expected


def test_how_often_training_is_saved_re_runs_nothing(finished):
    assert "train_sae" not in plan(finished, "--set-resources", "train_sae:checkpoint_seconds=7")


def test_a_layer_beyond_the_model_is_refused_before_anything_runs(checkout):
    config = checkout / "deep.yaml"
    config.write_text("language_model: {layer: 9}")
    process = snakemake(checkout, "results/tiny/activations/manifest.json", "--configfile", "tests/tiny.yaml", "deep.yaml")
    assert process.returncode == 1
    assert "language_model.layer: 9 is beyond the model's 3 blocks; use 0 to 2" in process.stderr


def test_without_latex_only_the_pdf_is_missing(checkout, tmp_path):
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for program in (
        "bash",
        "env",
        "rm",
        "mkdir",
        "cat",
        "cp",
        "mv",
        "sh",
        "which",
    ):  # the last for the Slurm executor's own start
        (binaries / program).symlink_to(shutil.which(program))
    for name in ("paper.pdf", "table2.tex"):
        (checkout / "results" / name).unlink()
        (checkout / "results/tiny" / name).unlink()
    process = snakemake(checkout, "--keep-going", *TINY, PATH=str(binaries))
    assert process.returncode == 1
    lines = [line for line in process.stderr.splitlines() if line.startswith("wta_sae paper:")]
    assert len(lines) == 1
    assert "LaTeX is not installed; on Debian and Ubuntu install the packages latexmk" in lines[0]
    assert (checkout / "results/table2.tex").exists()
    assert not (checkout / "results/paper.pdf").exists()


def test_results_that_cannot_be_written_are_named(finished, tmp_path):
    (tmp_path / "results").touch()
    out = str(tmp_path / "results/table2.tex")
    inputs = ("--contributions", "paper/contributions.yaml", "--template", "paper/templates/table2.tex.j2")
    process = by_hand(finished, "python", "-m", "wta_sae", "table2", *inputs, "--out", out)
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1
    assert "cannot be written" in process.stderr
