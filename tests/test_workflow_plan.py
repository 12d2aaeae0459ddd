"""The workflow before it runs: what it would do, and which configs it refuses."""

import re

import pytest
import yaml
from snakemake.cli import main as snakemake_main

from workflow import ROOT, new_checkout, papers_saes, planned_jobs, resources_of_jobs, snakemake
from wta_sae.plan.ablations import RELEASED_CODE
from wta_sae.plan.saes import requested_saes, with_settings

DATASET = {"name": "org/a", "revision": "main", "splits": ["train", "test"], "text": "text"}
HUB = {
    "source": "hub",
    "hub": {
        "datasets": {"a": DATASET},
        "sets": {"s": {"dataset": "a", "label": "l", "classes": [0, 1]}},
        "tpp": ["s"],
        "pairs": [{"dataset": "a", "concept": "l", "concepts": [0, 1], "attribute": "m", "attributes": [0, 1]}],
    },
}


NEVER_RUN = ("--config", "run=never-run")  # of which this checkout has no results, whatever its owner has run


def plan(tmp_path, *targets, **config):
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    return snakemake(ROOT, "--dry-run", "--printshellcmds", *targets, "--configfile", str(file))


@pytest.mark.parametrize(
    "config, message",
    [
        ({"seeed": 1}, "config: unknown key 'seeed'; the keys are: run, seeds, bundle, text,"),
        ({"training": {"latents": "many"}}, "config: training.latents: 'many' is not of type 'integer'"),
        ({"activations": {"packing": "firts"}}, "config: activations.packing: 'firts' is not one of ['concatenated', 'first']"),
        ({"text": {"source": "files"}}, "config: text: 'files' is a required property"),
        ({"language_model": {"source": "path"}}, "config: language_model: 'path' is a required property"),
        ({"labelled_texts": {"source": "hub"}}, "config: labelled_texts: 'hub' is a required property"),
        ({"labelled_texts": HUB | {"hub": HUB["hub"] | {"tpp": ["x"]}}}, "config: labelled_texts.hub.tpp: 'x' is unknown; the"),
        (
            {"labelled_texts": HUB | {"hub": HUB["hub"] | {"datasets": {"b": DATASET}}}},
            "config: labelled_texts.hub.sets.s.dataset: 'a' is unknown; the names are: b",
        ),
        (
            {"labelled_texts": HUB | {"hub": HUB["hub"] | {"datasets": {"a": DATASET | {"splits": ["train"]}}}}},
            "config: labelled_texts.hub.pairs[0]: 'a' has no test split, which SCR needs",
        ),
        (
            {"labelled_texts": HUB | {"hub": HUB["hub"] | {"datasets": {"../a": DATASET}}}},
            "config: labelled_texts.hub.datasets: '../a' is not of the form",
        ),
        (
            {"labelled_texts": {"classes": ["scipy", "a; rm -rf x"]}},
            "config: labelled_texts.classes[1]: 'a; rm -rf x' is not",
        ),
        (
            {"labelled_texts": {"classes": ["scipy", "jax"]}},
            "config: labelled_texts: 'jax' is not among text.docstrings.",
        ),
        ({"text": {"source": "files", "files": {"paths": ["no/such.txt"]}}}, "text.files.paths: no/such.txt: no such file"),
        ({"language_model": {"source": "path", "path": "no model"}}, "language_model.path: no model lacks config.json"),
        ({"run": "a b; rm -rf /"}, "config: run: 'a b; rm -rf /' is not of the form ^[A-Za-z0-9]"),
        ({"saes": {"wta": {"rates": [0.1, 1.5]}}}, "config: saes.wta.rates[1]: 1.5 is greater than the maximum of 1"),
        ({"saes": {"wta": {"rates": [0]}}}, "config: saes.wta.rates[0]: 0 is less than or equal to the minimum of 0"),
        ({"foreign_saes": {"topk-k16": "x"}}, "config: foreign_saes: 'topk-k16' is the name of an SAE that this run trains"),
        ({"foreign_saes": {"theirs": "x"}}, "config: foreign_saes.theirs: x lacks cfg.json; give an SAE's directory"),
        ({"seeds": []}, "config: seeds: [] should be non-empty"),
        ({"saes": {"topk": {"k": 16}}}, "config: saes.topk.k: 16 is not of type 'array'"),
        ({"saes": {"topk": {"k": [16, 5000]}}}, "saes.topk.k: 5000 is not between 1 and training.latents (2048)"),
        ({"saes": {"tokp": {"k": [5]}}}, "config: saes: unknown key 'tokp'; the keys are: wta, batch_topk, topk"),
        ({"saes": {"wta": {"gate": "later"}}}, "config: saes.wta.gate: 'later' is not one of ['never', 'early', 'late']"),
        ({"saes": {"wta": {"k": [3]}}}, "config: saes.wta: unknown key 'k'; the keys are: rates, gate, rescale_encoder_bias"),
        ({"saes": {"topk": {"gate": "late"}}}, "config: saes.topk: unknown key 'gate'; the keys are: k"),
        ({"ablations": ["bias"]}, "config: ablations[0]: 'bias' is not one of ['gate', 'encoder_bias', 'packing']"),
        ({"paper": {"table1_rate": 0.02}}, "paper.table1_rate: 0.02 is not among the rates in saes.wta: 1e-06,"),
    ],
)
def test_a_bad_config_is_refused_by_name(tmp_path, config, message, monkeypatch):
    """In this process: Snakemake takes longer to start than to read a config."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(SystemExit) as refusal:
        snakemake_main(["--dry-run", "--cores", "2", "results/table1.tex", "--configfile", str(tmp_path / "config.yaml")])
    assert str(refusal.value.code).startswith(message)
    assert "\n" not in str(refusal.value.code)


def test_a_refusal_is_all_that_snakemake_says(tmp_path):
    process = plan(tmp_path, "results/table1.tex", paper={"table1_rate": 0.02})
    assert process.returncode == 1
    lines = [line for line in process.stderr.splitlines() if not line.startswith(("Using workflow specific", "Config file"))]
    assert len(lines) == 1 and lines[0].startswith("paper.table1_rate: 0.02 is not among the rates in saes.wta: 1e-06, ")


def test_a_jobs_threads_do_not_follow_the_cores():
    """For its result depends on them."""
    commands = []
    for cores in ("1", "9"):
        process = snakemake(ROOT, "--cores", cores, "--dry-run", "--printshellcmds", "results/table1.tex", *NEVER_RUN)
        commands.append({line for line in process.stdout.splitlines() if "python -m wta_sae" in line})
    assert commands[0] == commands[1]
    computing = ("train-language-model", "cache-activations", "train-sae", "evaluate")
    found = {stage: [line for line in commands[0] if f"wta_sae {stage} " in line] for stage in computing}
    assert all(found.values())
    threads = {stage: {tuple(re.findall(r"--threads (\d+)", line)) for line in lines} for stage, lines in found.items()}
    several = ("train-language-model", "cache-activations")  # the others compute with one, unless they are told
    assert threads == {
        stage: {("2",)} if stage in several else {("1",)} if stage == "train-sae" else {()} for stage in computing
    }


def test_every_job_that_runs_the_language_model_computes_in_the_type_asked_for(tmp_path):
    process = plan(tmp_path, run="never-run", language_model={"dtype": "bfloat16"})
    jobs = [line for line in process.stdout.splitlines() if "python -m wta_sae" in line and " --lm " in line]
    stages = {re.search(r"wta_sae ([\w-]+(?: tokens)?) ", line)[1] for line in jobs}
    assert stages == {"cache-activations", "cache-texts", "evaluate tokens", "calibrate", "browse"}
    assert all(" --lm-dtype bfloat16 " in line for line in jobs)


def test_table1_asks_for_its_own_saes_and_no_others(tmp_path):
    jobs = planned_jobs(plan(tmp_path, "results/table1.tex", run="never-run"))
    assert jobs["train_sae"] == jobs["evaluate_tokens"] == 9  # three, of three seeds
    assert jobs["cache_activations"] == 1
    assert not {"figure", "paper"} & set(jobs)


def test_saes_trained_together_are_one_job_and_each_a_target(tmp_path):
    training = {"saes_together": 4}
    jobs = planned_jobs(plan(tmp_path, "results/table1.tex", run="never-run", training=training))
    assert len([rule for rule in jobs if rule.startswith("train_saes_")]) == 3 and "train_sae" not in jobs
    assert jobs["evaluate_tokens"] == 9  # of the three that are trained beside Table 1's, nothing else is made
    process = plan(tmp_path, "results/never-run/sae/wta-k20-all", run="never-run", training=training)
    line = next(line for line in process.stdout.splitlines() if "train-sae" in line)
    assert line.count(" --and ") == 1
    assert "--activations results/never-run/activations-train-first-without-bos" in line
    assert "--out results/never-run/sae/wta-k20-packing results/never-run/sae/wta-k20-all" in line


def test_figure1_needs_no_labelled_texts(tmp_path):
    jobs = planned_jobs(plan(tmp_path, "results/figure1.pdf", run="never-run"))
    assert jobs["train_sae"] == 6  # eleven rates, six different numbers of winners
    assert jobs["evaluate_tokens"] == 6
    assert not {"label_classes", "label_quadrants", "cache_texts", "evaluate_texts", "table"} & set(jobs)


def test_the_whole_paper(tmp_path):
    process = plan(tmp_path, run="never-run")
    # Three k of two baselines, six numbers of winners; two more seeds of four; three ablations and all of them together; TopK
    # with a large dictionary, and without the auxiliary loss.
    assert len(papers_saes(process, "train_sae")) == 2 * 3 + 6 + 2 * 4 + 4 + 2
    assert len(papers_saes(process, "calibrate")) == len(papers_saes(process, "evaluate_matched")) == 9
    assert len(papers_saes(process, "evaluate_matched_texts")) == len(papers_saes(process, "evaluate_stability")) == 9
    jobs = planned_jobs(process)
    assert jobs["cache_activations"] == 2  # one for the ablations that pack the text otherwise
    assert jobs["paper"] == 1


def test_tokenizing_asks_for_the_memory_that_the_contexts_take():
    """Not for that of the text, of which it has pieces: the preset's is of 6 GB."""
    presets = [f"workflow/presets/{name}.yaml" for name in ("pythia-410m", "pythia-410m-released")]
    target = "results/never-run/tokens/train.safetensors"
    process = snakemake(ROOT, "--dry-run", target, *NEVER_RUN, "--configfile", *presets)
    (words,) = (words for rule, words in resources_of_jobs(process) if rule == "tokenize")
    assert int(re.search(r"mem_mb=(\d+)", words)[1]) == 3000 + round(16 * 790_000 * 128 / 1e6)


def test_the_released_preset_is_every_ablation_at_once():
    config, preset = (yaml.safe_load((ROOT / file).read_text()) for file in ("config.yaml", "workflow/presets/released.yaml"))
    config["activations"] |= preset["activations"]
    config["saes"]["wta"] |= preset["saes"]["wta"]
    changes = {key: value for settings in RELEASED_CODE.values() for key, value in settings.items()}
    for spec in requested_saes(config):
        if spec.variant == "wta":
            assert spec == with_settings(spec, changes)
    assert config["evaluation"] | preset["evaluation"] == config["evaluation"]


def test_the_released_preset_runs_alone():
    preset = ("--configfile", "workflow/presets/released.yaml")
    jobs = planned_jobs(snakemake(ROOT, "--dry-run", "results/table1.tex", *NEVER_RUN, *preset))
    assert jobs["train_sae"] == 9
    assert jobs["train_language_model"] == jobs["cache_activations"] == 1


PRESETS = {  # its files -> SAEs, fetched datasets, sets, pairs
    ("pythia-410m",): (2 + 7 + 2 * 4 + 3, 5, 8, 8),
    ("pythia-410m", "pythia-410m-released"): (2 + 7, 5, 8, 8),
    ("pythia-70m",): (2 + 7, 3, 3, 2),
}


@pytest.mark.parametrize("names", PRESETS, ids="+".join)
def test_a_preset_of_the_papers_kind(names):
    files = [f"workflow/presets/{name}.yaml" for name in names]
    process = snakemake(ROOT, "--dry-run", *NEVER_RUN, "--configfile", *files)
    saes, datasets, sets, pairs = PRESETS[names]
    assert len(papers_saes(process, "evaluate_tokens")) == saes  # each is trained, some together
    jobs = planned_jobs(process)
    assert jobs["fetch_language_model"] == jobs["fetch_text"] == 1
    assert (jobs["fetch_labelled_texts"], jobs["label_classes"], jobs["label_quadrants"]) == (datasets, sets, pairs)
    assert not {"collect_text", "label_docstrings", "train_tokenizer", "train_language_model"} & set(jobs)


def test_the_paper_sized_preset_is_the_papers():
    config, preset = (yaml.safe_load((ROOT / f).read_text()) for f in ("config.yaml", "workflow/presets/pythia-410m.yaml"))
    assert preset["activations"]["tokens"] // preset["training"]["batch_tokens"] == 12207
    assert preset["training"]["learning_rate"] == 2e-4 / (preset["training"]["latents"] / 2**14) ** 0.5
    rates = {k: v for k, v in preset.items() if k in ("training", "paper")} | {"saes": config["saes"]}
    sweep = requested_saes(config | rates | {"saes": {"wta": config["saes"]["wta"]}, "seeds": [42], "ablations": []})
    # Ten rates and the matched one; five of them give one winner.
    assert {spec.k: len(spec.rates) for spec in sweep} == {1: 5, 4: 1, 8: 1, 40: 1, 64: 1, 81: 1, 409: 1}
    assert config["saes"].keys() - preset["saes"].keys() == {"wta"}  # as in config.yaml


def test_what_was_fetched_elsewhere_is_not_fetched_again(tmp_path):
    """As the line says that a failed fetch ends with: the file, or the folder, placed where it was to be made."""
    new_checkout(tmp_path)
    run = tmp_path / "results/pythia-70m"
    targets = [run / "lm", run / "text/hub.parquet", run / "labelled/rows/ag_news.parquet"]
    for path in targets:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if path.name == "lm" else path.touch()
    preset = ("--configfile", "workflow/presets/pythia-70m.yaml")
    jobs = planned_jobs(snakemake(tmp_path, "--dry-run", "results/table1.tex", *preset))
    assert jobs["fetch_labelled_texts"] == 2  # bias_in_bios and amazon_reviews
    assert not {"fetch_language_model", "fetch_text"} & set(jobs)


def test_an_sae_from_elsewhere_is_evaluated_beside_the_others(tmp_path):
    for name in ("cfg.json", "sae_weights.safetensors"):
        (tmp_path / name).touch()
    own = {"run": "never-run", "foreign_saes": {"theirs": str(tmp_path)}}
    with_it, without = planned_jobs(plan(tmp_path, **own)), planned_jobs(plan(tmp_path, run="never-run"))
    assert with_it.pop("import_sae") == 1
    more = {rule: number - without[rule] for rule, number in with_it.items() if number != without[rule]}
    assert more == {"evaluate_tokens": 1, "evaluate_texts": 1}


def test_own_text_model_and_labels(tmp_path, neox_directory):
    (tmp_path / "mine.txt").write_text("some text")
    (tmp_path / "news.csv").write_text("body,topic,outlet\n")
    pair = {
        "dataset": "news",
        "concept": "topic",
        "concepts": ["Sci/Tech", "a b"],
        "attribute": "outlet",
        "attributes": ["ß", "-1"],
    }
    labels = {
        "datasets": {"news": {"paths": [str(tmp_path / "news.csv")], "text": "body"}},
        "sets": {"topics": {"dataset": "news", "label": "topic", "classes": ["Sci/Tech", "a b"]}},
    }

    def planned(labels):
        return plan(
            tmp_path,
            "results/table1.tex",
            run="never-run",
            text={"source": "files", "context_length": 32, "files": {"paths": [str(tmp_path / "*.txt")], "column": "text"}},
            activations={"tokens": 1_000_000},
            training={"threshold_start_step": 20},
            language_model={"source": "path", "path": str(neox_directory)},
            labelled_texts={"source": "files", "files": labels},
        )

    process = planned(labels | {"pairs": [pair]})
    jobs, said = planned_jobs(process), process.stdout + process.stderr
    # How large the residuals of a model's that was not made here are is not known: they go when the last SAE has read them.
    assert said.count("Would remove temporary output results/never-run/labelled/residuals/") == 2
    assert (jobs["collect_text"], jobs["check_language_model"], jobs["cache_activations"]) == (1, 1, 1)
    assert (jobs["label_files"], jobs["label_classes"], jobs["label_quadrants"]) == (1, 1, 1)
    assert jobs["cache_texts"] == jobs["train_probes"] == 2
    assert not {"train_language_model", "train_tokenizer", "fetch_language_model", "label_docstrings"} & set(jobs)
    without = planned_jobs(planned(labels))
    assert without["cache_texts"] == 1 and "label_quadrants" not in without


def test_the_catalogs_snakefile_plans_the_same_jobs():
    ours, catalogs = (
        snakemake(ROOT, "--dry-run", "--printshellcmds", *NEVER_RUN, *words) for words in ((), ("-s", "workflow/Snakefile"))
    )
    assert planned_jobs(catalogs) == planned_jobs(ours) != {}
    commands = [sorted(re.findall(r"python -m wta_sae .*", plan.stdout)) for plan in (ours, catalogs)]
    assert commands[0] == commands[1] and len(commands[0]) > 100
