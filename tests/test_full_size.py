"""The paper's sizes on a small machine: a model like Pythia-410m, random weights, 8192 latents, every variant and family."""

import json
import math

import pytest
import yaml
from snakemake.utils import update_config

from random_pythia import save_random_pythia
from workflow import ROOT, new_checkout, snakemake
from wta_sae.base.spent import read_spent
from wta_sae.forecast.model_sizes import ModelSizes, model_sizes
from wta_sae.forecast.space import memory_parts
from wta_sae.forecast.workload import WorkflowJob, Workload
from wta_sae.plan.run_plan import run_plan
from wta_sae.variants.registry import VARIANTS

pytestmark = pytest.mark.slow

CONFIG = "tests/full_size.yaml"
MOST_MEGABYTES = 10_000
EVALUATED = "topk-k64"
FAMILIES = {  # a metric of each
    "tokens": ("ce_loss_score", "subspace_cosine", "encoder_decoder_cosine_sim_mean"),
    "texts": ("sae_top_1_test_accuracy", "scr_dir1_threshold_2", "tpp_threshold_2_total_metric"),
    "matched": ("kl_div_score", "l0"),
    "matched_texts": ("sae_top_1_test_accuracy",),
}


def numbers_in(value):
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(one)
    elif isinstance(value, float):
        yield value


def test_the_papers_sizes_fit_a_small_machine(tmp_path):
    checkout = new_checkout(tmp_path)
    (checkout / "build").mkdir(exist_ok=True)
    save_random_pythia(checkout / "build/random-pythia")
    run = checkout / "results/full-size"
    metrics = run / "metrics" / EVALUATED
    saes = [f"results/full-size/sae/{name}" for name in run_plan(config()).saes]
    targets = [*saes, *(str((metrics / f"{evaluation}.json").relative_to(checkout)) for evaluation in FAMILIES)]
    process = snakemake(checkout, "--configfile", CONFIG, "--", *targets)
    assert process.returncode == 0, process.stderr
    trained = {json.loads((checkout / name / "cfg.json").read_text())["metadata"]["variant"] for name in saes}
    assert trained == set(VARIANTS)
    for evaluation, wanted in FAMILIES.items():
        text = (metrics / f"{evaluation}.json").read_text()
        assert all(f'"{metric}' in text for metric in wanted), evaluation
        assert all(map(math.isfinite, numbers_in(json.loads(text))))
    assert model_sizes(config(checkout)["language_model"], run) == ModelSizes(24, 1024, 50304)
    workload = Workload(config(), run_plan(config()), ModelSizes(24, 1024, 50304))
    for log in sorted((run / "logs").rglob("*.log")):
        taken, job = read_spent(log.read_text()).megabytes, WorkflowJob.of_log(log.as_posix())
        assert taken < MOST_MEGABYTES, log
        if taken > 1000:  # the plan knows what is large
            said = sum(part.bytes for part in memory_parts(job, workload)) / 1e6
            assert 0.6 < said / taken < 1.7, (job, said, taken)


def config(checkout=ROOT):
    merged = {}
    for file in ("config.yaml", CONFIG):
        update_config(merged, yaml.safe_load((ROOT / file).read_text()))
    merged["language_model"]["path"] = str(checkout / merged["language_model"]["path"])
    return merged
