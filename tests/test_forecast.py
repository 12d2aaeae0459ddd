"""What a run will take: the jobs' arithmetic, the rates, disk and memory, and that it is said before anything runs."""

import math

import pytest
import yaml
from snakemake.utils import update_config

from workflow import ROOT, RULES, by_hand, new_checkout, snakemake
from wta_sae.activations import text_caching
from wta_sae.base.errors import UserError
from wta_sae.base.writing import partial_path
from wta_sae.forecast import space
from wta_sae.forecast.announcement import announcement
from wta_sae.forecast.forecast import PHASES, Forecast
from wta_sae.forecast.machine_limits import Machine
from wta_sae.forecast.model_sizes import ModelSizes, model_sizes
from wta_sae.forecast.rates import (
    ELSEWHERE,
    FEEDING,
    HERE,
    PROBE,
    PROBED,
    FinishedJob,
    Rate,
    Rates,
    finished_in,
    fitted,
    measured,
    reference_rates,
)
from wta_sae.forecast.space import disk_stores, memory_parts
from wta_sae.forecast.words import duration, in_words
from wta_sae.forecast.workload import FORMULAS, WorkflowJob, Workload
from wta_sae.plan.run_plan import run_plan
from wta_sae.stages.plan import jobs_in

PRESETS = [file.stem for file in sorted((ROOT / "workflow/presets").glob("*.yaml"))]
LAPTOP = Machine(2, 0, 16e9, 0, 1e12)


def config_of(*files, **sections):
    config = {}
    for file in ("config.yaml", *files):
        update_config(config, yaml.safe_load((ROOT / file).read_text()))
    update_config(config, sections)
    return config


def workload_of(config, sizes):
    return Workload(config, run_plan(config), sizes)


def forecast_of(config, jobs, machine=LAPTOP, samples=(), run=ROOT / "nowhere"):
    return Forecast(config, jobs, machine, run, Rates(samples, lambda: 1e11))


@pytest.mark.parametrize(
    "log, job",
    [
        ("results/demo/logs/train_sae/topk-k4.log", WorkflowJob("train_sae", "topk-k4")),
        ("/a b/results/demo/logs/cache_texts/classes/docstrings.log", WorkflowJob("cache_texts", "classes/docstrings")),
        ("results/logs/logs/browse.log", WorkflowJob("browse")),
    ],
)
def test_a_job_is_known_by_its_log(log, job):
    assert WorkflowJob.of_log(log) == job


def test_a_dry_runs_jobs_are_read():
    output = """
rule train_sae:
    input: results/a/activations/manifest.json
    log: results/a/logs/train_sae/topk-k4.log
    wildcards: sae=topk-k4
    resources: mem_mb=4000, runtime=240, gpu=1

localrule all:
    input: results/paper.pdf
    jobid: 0

rule tokenize:
    log: results/a/logs/tokenize/train.log
    threads: 2
    resources: mem_mb=3000, tmpdir=/tmp
"""
    assert list(jobs_in(output)) == [WorkflowJob("train_sae", "topk-k4", 1, True), WorkflowJob("tokenize", "train", 2, False)]


def test_every_rule_with_a_formula_is_a_rule_and_in_a_phase():
    """The loop of train.smk makes train_sae."""
    names = {*RULES, "train_sae"}
    in_phases = [rule for rules in PHASES.values() for rule in rules]
    assert set(FORMULAS) <= set(in_phases) <= names
    assert len(in_phases) == len(set(in_phases))


def test_operations_by_hand():
    config = config_of(
        activations={"tokens": 1000},
        training={"latents": 64, "epochs": 2},
        text={"context_length": 8},
        language_model={"layer": 1},
    )
    workload = workload_of(config, ModelSizes(blocks=3, width=10, vocabulary=100))
    block = 24 * 10**2 + 2 * 8 * 10
    assert workload.operations(WorkflowJob("cache_activations", "activations")) == 1000 * 2 * block
    assert workload.operations(WorkflowJob("train_sae", "topk-k4")) == 2 * 5 * 2000 * 10 * 64
    assert workload.operations(WorkflowJob("tokenize", "evaluation")) == 512 * 8
    assert workload.operations(WorkflowJob("train_tokenizer")) == 8 * 3e6
    everything, upper = 3 * block + 2 * 10 * 100, block + 2 * 10 * 100
    core = 512 * 8 * (everything + 1 * (upper + 4 * 10 * 64))
    assert workload.operations(WorkflowJob("evaluate_tokens", "topk-k4")) == core + 2 * 10 * 64**2
    assert workload.operations(WorkflowJob("figure1")) == 0


def test_saes_trained_together_are_counted_together():
    config = config_of(training={"saes_together": 3})
    workload = workload_of(config, ModelSizes(4, 128, 4096))
    names = next(group for group in workload.plan.together if len(group) == 3)
    together = workload.operations(WorkflowJob("train_sae", names[0]))
    assert together == 3 * workload_of(config_of(), workload.sizes).operations(WorkflowJob("train_sae", names[0]))


def test_rates_say_again_what_jobs_took():
    samples = [FinishedJob("train_sae", 1e9, 12.0), FinishedJob("train_sae", 3e9, 24.0)]
    rate = fitted(samples)
    assert rate == Rate(6.0, 4e9 / 24)  # half of the fastest one is start
    assert [rate.seconds(sample.operations) for sample in samples] == pytest.approx([12, 24])
    assert fitted([FinishedJob("table1", 0, 2.0), FinishedJob("table1", 0, 4.0)]) == Rate(3.0, math.inf)


def test_small_jobs_that_have_run_here_say_how_fast_the_machine_is_and_not_how_time_grows():
    known = Rate(2.0, 1e9)
    small = [FinishedJob("train_sae", 1e6, 4.0), FinishedJob("train_sae", 1e6, 4.0)]  # nearly all of it is start
    rate = measured(small, known)
    assert sum(rate.seconds(job.operations) for job in small) == pytest.approx(8)
    assert rate.seconds(1e12) == pytest.approx(2 * known.seconds(1e12), rel=1e-3)  # and not 1e6 times as long as a small one
    assert measured(small, None) == fitted(small)


def test_rates_come_from_here_then_from_a_probe_and_a_gpus_from_elsewhere():
    here, there = reference_rates("cpu"), reference_rates("gpu")
    rates = Rates([FinishedJob("tokenize", 1e6, 5.0), FinishedJob("train_sae", 1e12, 9.0)], lambda: 2 * here[PROBE].speed)
    assert rates.of("tokenize", False)[1] == rates.of("train_sae", False)[1] == HERE
    known = here["calibrate"]
    assert rates.of("calibrate", False) == (Rate(known.start / 2, known.speed * 2), PROBED)
    assert rates.of("train_sae", True) == (there["train_sae"], ELSEWHERE)  # what it took without a GPU says nothing
    assert Rates([FinishedJob("train_sae", 1e12, 9.0, True)], None).of("train_sae", True)[1] == HERE
    assert Rates([], None).of("calibrate", False) == (known, ELSEWHERE)  # a cluster's nodes are not probed


def test_a_gpu_waits_for_its_disk_unless_several_saes_share_what_comes():
    preset = "workflow/presets/pythia-410m.yaml"
    alone = forecast_of(config_of(preset, training={"saes_together": 1}), [], Machine(8, 1, 0, 0, 1e12))
    job = WorkflowJob("train_sae", "topk-k64", on_gpu=True)
    from_disk = reference_rates("gpu")[FEEDING].speed
    assert alone.job_seconds(job) == pytest.approx(reference_rates("gpu")["train_sae"].start + 12207 * 8192 * 2048 / from_disk)
    together = alone.saes_that_keep_a_gpu_busy(alone.workload)
    step = 2 * 5 * 8192 * 8192 * 1024 / reference_rates("gpu")["train_sae"].speed
    assert (together - 1) * step < 8192 * 2048 / from_disk <= together * step
    assert config_of(preset)["training"]["saes_together"] == together
    shared = forecast_of(config_of(preset, training={"saes_together": 8}), [], alone.machine)
    group = next(group for group in shared.workload.plan.together if len(group) == 8)
    assert shared.job_seconds(WorkflowJob("train_sae", group[0], on_gpu=True)) == pytest.approx(8 * 12207 * step, rel=0.05)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_the_reference_has_every_rule_that_takes_long(device):
    known = reference_rates(device)
    assert {rule for rule in FORMULAS if rule != "evaluate_stability" or device == "cpu"} <= set(known)
    assert all(rate.start >= 0 and rate.speed > 0 for rate in known.values())


def test_finished_runs_are_read_and_others_passed_over(tmp_path):
    config = config_of("tests/tiny.yaml")
    for run, log in (("tiny", "took 12.00 s, 9.00 s of processor time, 300 MB at the most\n"), ("old", ""), ("tiny", None)):
        (tmp_path / run / "logs/train_sae").mkdir(parents=True, exist_ok=True)
        if log is not None:
            (tmp_path / run / "logs/train_sae/topk-k4.log").write_text(log)
    (tmp_path / "tiny/logs/train_sae/gone-k4.log").write_text("took 1.00 s, 1.00 s of processor time, 3 MB at the most\n")
    (tmp_path / "old/config.json").write_text('{"saes": 1}')
    assert finished_in(tmp_path, config) == [FinishedJob("train_sae", 2 * 5 * 40000 * 32 * 256, 12.0)]


def test_sizes_of_models(tmp_path):
    assert model_sizes(config_of()["language_model"], tmp_path) == ModelSizes(4, 128, 4096)
    hub = {"source": "hub", "hub": {"name": "EleutherAI/pythia-410m-deduped"}}
    assert model_sizes(hub, tmp_path) == ModelSizes(24, 1024, 50304)
    assert 400e6 < ModelSizes(24, 1024, 50304).parameters < 410e6
    unknown = {"source": "hub", "hub": {"name": "some/model"}}
    assert model_sizes(unknown, tmp_path) is None
    (tmp_path / "config.json").write_text('{"n_layer": 12, "n_embd": 768, "vocab_size": 50257}')  # GPT-2's names
    assert model_sizes(unknown, tmp_path) == ModelSizes(12, 768, 50257)
    assert model_sizes({"source": "path", "path": str(tmp_path)}, tmp_path / "x") == ModelSizes(12, 768, 50257)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_presets_cache_is_as_large_as_its_tokens(preset):
    config = config_of(
        f"workflow/presets/{'pythia-410m' if 'released' in preset else preset}.yaml", f"workflow/presets/{preset}.yaml"
    )
    sizes = model_sizes(config["language_model"], ROOT / "nowhere")
    (store,) = disk_stores([WorkflowJob("cache_activations", "activations")], workload_of(config, sizes))
    width = {"float32": 4, "bfloat16": 2}[config["activations"]["dtype"]] * sizes.width
    assert store.bytes == config["activations"]["tokens"] * width


def test_the_papers_cache_is_the_205_gb_that_its_preset_names():
    config = config_of("workflow/presets/pythia-410m.yaml")
    jobs = [WorkflowJob("cache_activations", "activations", on_gpu=True)]
    forecast = forecast_of(config, jobs, Machine(8, 1, 64e9, 80e9, 1e12))
    assert any("205 GB cached activations" in line for line in announcement(forecast))
    forecast.check()
    refusal = (
        r"needs 205 GB of disk, of which 205 GB are cached activations, .* 100 GB free; lower activations.tokens: 100,000,000"
    )
    with pytest.raises(UserError, match=refusal):
        forecast_of(config, jobs, Machine(8, 1, 64e9, 80e9, 1e11)).check()


def test_shards_that_an_interrupted_job_left_are_not_counted_twice(tmp_path):
    config = config_of()  # whose cache takes 1.024 GB
    little = LAPTOP._replace(free_disk=1_023_990_000)
    jobs = [WorkflowJob("cache_activations", "activations")]
    with pytest.raises(UserError, match=r"needs 1.0 GB of disk"):
        forecast_of(config, jobs, little, run=tmp_path).check()
    shard = partial_path(tmp_path / "activations") / "shard-00000.safetensors"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(bytes(20_000))
    forecast_of(config, jobs, little, run=tmp_path).check()


def test_memory_that_is_not_there_is_refused_with_the_key():
    config = config_of("workflow/presets/pythia-410m.yaml", activations={"shard_tokens": 40_000_000})
    job = WorkflowJob("cache_activations", "activations", on_gpu=True)
    with pytest.raises(UserError, match=r"cache_activations activations needs 16\d GB of memory, 164 GB of it for two shards"):
        forecast_of(config, [job], Machine(8, 1, 64e9, 80e9, 1e12)).check()
    config = config_of("workflow/presets/pythia-410m.yaml", training={"batch_tokens": 500_000})
    job = WorkflowJob("train_sae", "topk-k64", on_gpu=True)
    message = (
        r"of GPU memory, 246 GB of it for a batch's activations, and there are 80 GB; lower training.batch_tokens: 500,000"
    )
    with pytest.raises(UserError, match=message):
        forecast_of(config, [job], Machine(8, 1, 64e9, 80e9, 1e12)).check()
    forecast_of(config, [job], Machine(8, 8, 0, 0, 1e12)).check()  # a cluster's nodes say nothing


def test_what_a_job_holds_is_on_the_gpu_where_it_has_one():
    workload = workload_of(config_of(), ModelSizes(4, 128, 4096))
    here, there = (list(memory_parts(WorkflowJob("train_sae", "topk-k4", on_gpu=gpu), workload)) for gpu in (False, True))
    weights = {part.what: part.bytes for part in here}["weights and moments"]
    assert weights == 4 * 2 * 128 * 2048 * 4
    assert {part.what: part.bytes for part in there}["weights and moments"] == weights


def test_what_is_reckoned_with_is_as_it_is_elsewhere():
    """Constants of modules that load torch."""
    assert space.SHARD_TEXTS == text_caching.SHARD_TEXTS


def test_a_phase_takes_as_long_as_its_jobs_side_by_side_and_no_less_than_the_longest():
    samples = [FinishedJob("label_docstrings", 0, 10.0), FinishedJob("label_files", 0, 100.0)]
    jobs = [WorkflowJob("label_docstrings")] * 4
    seconds = {count: forecast_of(config_of(), jobs[:count], samples=samples).seconds for count in (1, 2, 4)}
    assert seconds == {1: 10.5, 2: 11.0, 4: 22.0}  # on two cores, and half a second each for Snakemake
    assert forecast_of(config_of(), [*jobs, WorkflowJob("label_files")], samples=samples).seconds == 102.5
    two_threads = [job._replace(threads=2) for job in jobs]
    assert forecast_of(config_of(), two_threads, samples=samples).seconds == 42.0
    on_gpus = [job._replace(on_gpu=True) for job in jobs]
    samples = [FinishedJob("label_docstrings", 0, 10.0, on_gpu=True)]
    assert forecast_of(config_of(), on_gpus, Machine(8, 2, 1e12, 1e12, 1e12), samples).seconds == 22.0


def test_words():
    assert [str(one) for one in (LAPTOP, LAPTOP._replace(cores=1, gpus=2), Machine(64, 64, 0, 0, 1e12, cluster=True))] == [
        *("on 2 cores", "on 1 core, 2 GPUs", "up to 64 at a time on a cluster")
    ]
    assert [duration(seconds) for seconds in (0.2, 59.2, 61, 3599, 7500, 360_000)] == [
        *("1 s", "1 min 0 s", "1 min 1 s", "59 min 59 s", "2 h 5 min", "100 h 0 min")
    ]
    assert [in_words(size) for size in (0, 999, 1500, 99_900_000, 2.048e11, 3e12)] == [
        *("0 B", "999 B", "1.5 kB", "100 MB", "205 GB", "3.0 TB")
    ]


def test_the_plan_is_said_without_running_anything(tmp_path):
    checkout = new_checkout(tmp_path)
    process = by_hand(
        checkout, "python", "-m", "wta_sae", "plan", "--configfile", "tests/tiny.yaml", "--targets", "results/table1.tex"
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("tiny: ") and "trained: 6 SAEs, 78 steps each of 512 tokens" in process.stdout
    assert "cached: 40,000 tokens in float32" in process.stdout
    assert "evaluation" in process.stdout and "memory: " in process.stdout
    assert not any((checkout / "results").rglob("*.*"))
    process = by_hand(checkout, "python", "-m", "wta_sae", "plan", "--targets", "results/nothing.tex")
    assert process.returncode == 1 and process.stderr.startswith("wta_sae plan: ")


def test_a_run_says_its_plan_and_one_that_cannot_fit_stops_before_its_first_job(tmp_path):
    checkout = new_checkout(tmp_path)
    process = snakemake(checkout, "--configfile", "tests/tiny.yaml", "--", "results/tiny/config.json")
    assert process.returncode == 0, process.stderr
    assert "tiny: 1 job, on 2 cores" in process.stderr
    huge = {"activations": {"tokens": 10**11}, "text": {"train_contexts": 18 * 10**8}}
    (checkout / "huge.yaml").write_text(yaml.safe_dump(huge))
    process = snakemake(checkout, "--configfile", "tests/tiny.yaml", "huge.yaml", "--", "results/table1.tex")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1].startswith(
        "the run needs 13.3 TB of disk, of which 12.8 TB are cached activations, and"
    )
    assert not (checkout / "results/tiny/text").exists()
    assert not any((checkout / ".snakemake/locks").glob("*"))
