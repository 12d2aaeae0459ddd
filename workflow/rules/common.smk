import json
import logging
import os
import re
import shlex
import shutil
import sys
import uuid
from pathlib import Path

from wta_sae.base.errors import UserError
from wta_sae.base.gpus import visible_gpus
from wta_sae.base.job_logs import OwnLogs, shorten_jobs
from wta_sae.base.refusals import FOLDER_VARIABLE, refusal
from wta_sae.base.slurm_arrays import take_own_command
from wta_sae.base.slurm_limits import PartitionLimits, partition_limits
from wta_sae.base.slurm_preemption import fail_preempted_jobs
from wta_sae.forecast.announcement import announcement
from wta_sae.forecast.forecast import Forecast
from wta_sae.forecast.machine_limits import a_cluster, this_machine
from wta_sae.forecast.rates import Rates, finished_in
from wta_sae.forecast.space import BYTES_OF_A_PACKED_TOKEN
from wta_sae.forecast.workload import WorkflowJob
from wta_sae.plan.budgets import matched_rate
from wta_sae.plan.bundled_config import bundled_config
from wta_sae.plan.commands import flags
from wta_sae.plan.config import check_config, check_folder_writable
from wta_sae.plan.contexts import cache_name, contexts_name, requested_contexts
from wta_sae.plan.dependencies import code_sha256, state_of
from wta_sae.plan.feasibility import check_feasible
from wta_sae.plan.labelled_sets import (
    DOCSTRINGS,
    FILES,
    HUB,
    class_sets,
    concept_pairs,
    drawn_datasets,
    fetch_options,
    file_options,
    labelled_files,
    residuals_are_large,
)
from wta_sae.plan.own_files import matching_files
from wta_sae.plan.run_plan import run_plan
from wta_sae.plan.saes import FOREIGN_FILES
from wta_sae.plan.synthetic import world_options
from wta_sae.variants.loading import rule_module
from wta_sae.variants.registry import VARIANTS

# In a Slurm array this Snakemake may be another job's: then it gives way, before it has done anything.
take_own_command(sys.argv[1:])

# Of this file, for `workflow.basedir` is workflow/ where the catalog's Snakefile is run.
REPOSITORY = Path(str(workflow.current_basedir)).parents[1]

# Under --sdm conda a rule's environment holds the libraries; the package itself is always this checkout's.
# Threads that wait spin but briefly: spinning long, they make a step five times slower where anything else is running.
# Slurm signals a whole job: with the trap the shell waits for its stage, which on SIGTERM saves a checkpoint, rather than
# die before it, at which Slurm kills the rest.
# A job's output goes to its log; descriptor 3 is where Snakemake's own goes, for a line of progress now and then.
SOURCE = shlex.quote(f"{REPOSITORY}/src")
shell.prefix(f"trap : TERM; exec 3>&2; export WTA_SAE_TERMINAL=3 PYTHONPATH={SOURCE} GOMP_SPINCOUNT=1000; ")


logging.getLogger("snakemake.logging").addFilter(OwnLogs())
if not (workflow.output_settings.dryrun or workflow.output_settings.printshellcmds):
    shorten_jobs()

# Where this run's jobs note that they were refused; a job's own Snakemake has it from the environment.
os.environ.setdefault(FOLDER_VARIABLE, f"{os.getcwd()}/.snakemake/refusals/{uuid.uuid4().hex}")


def checked(function, *arguments):
    """Calls a function of wta_sae on config values; its one line about a bad value ends the run."""
    try:
        return function(*arguments)
    except UserError as error:
        raise SystemExit(str(error))


# A run that is there as a bundle alone has its own config in it.
BUNDLE = config.get("bundle")
if BUNDLE:
    of_bundle = checked(bundled_config, BUNDLE)
    config.clear()
    config.update(of_bundle | {"bundle": BUNDLE})

checked(check_config, config, f"{REPOSITORY}/workflow/schemas/config.schema.yaml")
checked(check_feasible, config)
checked(check_folder_writable, "results")

# Of the jobs that gain by several. A job's result depends on its threads: they are the same on every machine, whatever --cores
# is, and more cores run more jobs.
THREADS = 2
SEED = config["seeds"][0]
HOOKED = {"layer": config["language_model"]["layer"], "lm_dtype": config["language_model"]["dtype"]}

PLAN = checked(run_plan, config)
CONTEXTS = requested_contexts(config, PLAN.saes.values())
CACHES = {cache_name(config, spec): contexts_name(spec) for spec in PLAN.saes.values()}
WORLDS = list(PLAN.worlds)
CLASS_SETS = {one.name: one for one in checked(class_sets, config)}
CONCEPT_PAIRS = {pair.name: pair for pair in checked(concept_pairs, config)}
FETCHED_DATASETS = {name: checked(fetch_options, config, name) for name in drawn_datasets(config, HUB)}
FILE_DATASETS = {name: file_options(config, name) for name in drawn_datasets(config, FILES)}

# The user's own files are looked for before anything runs; a bundle does without.
TEXT_FILES = []
if config["text"]["source"] == "files" and not BUNDLE:
    TEXT_FILES = [str(path) for path in checked(matching_files, config["text"]["files"]["paths"])]
LABELLED_FILES = {} if BUNDLE else {name: checked(labelled_files, config, name) for name in FILE_DATASETS}

# Of the contexts that text is packed into, in MB, with the copies that are made of them; the text itself is read in pieces.
TOKENS = max(config["text"]["train_contexts"] * config["text"]["context_length"], config["activations"]["tokens"])
TOKENS_MB = round(BYTES_OF_A_PACKED_TOKEN * TOKENS / 1e6)

HTML = sorted(map(str, Path("src/wta_sae/presentation/html").iterdir()))  # templates, style and script of pages

RUN = f"results/{config['run']}" + ("-bundled" if BUNDLE else "")
FIGURES = (1, 2, 3, *([4] if PLAN.planted else []), *([5] if PLAN.paired else []))
ARTIFACTS = (
    *("paper.pdf", "table1.tex", "table_published.tex", "table_matched.tex", "table_claims.tex", "table2.tex", "numbers.tex"),
    *("truth.tex", "outlook.tex", "table_outlook.tex", "table_provenance.tex"),
    *(["table_truth.tex"] if PLAN.planted else []),
    *(f"figure{number}.{suffix}" for number in FIGURES for suffix in ("pdf", "png")),
    "reproduction.md",
)
# What the report has beside them.
REPORTED = ("training_curves.pdf", "training_curves.png", "configuration.html", "provenance.html")
PASSED_ON = [] if BUNDLE else ["bundle.zip"]
DOCUMENTS = f"<run>/text/{config['text']['source']}.parquet"
LANGUAGE_MODEL = config["language_model"]["path"] if config["language_model"]["source"] == "path" else "<run>/lm"
# A model that was not made here is tried out before text is tokenized for it.
CHECKED_MODEL = [] if config["language_model"]["source"] == "train" else "<run>/language_model.json"
FETCHED = [
    *(["<run>/lm"] if config["language_model"]["source"] == "hub" else []),
    *([DOCUMENTS] if config["text"]["source"] == "hub" else []),
    *(f"<run>/labelled/rows/{dataset}.parquet" for dataset in FETCHED_DATASETS),
]
TOKENIZER = "<run>/tokenizer" if config["language_model"]["source"] == "train" else LANGUAGE_MODEL


def one_of(names):
    """A wildcard's pattern: one of the names and nothing else."""
    return "|".join(map(re.escape, names)) or "none"


wildcard_constraints:
    sae=one_of([*PLAN.saes, *PLAN.foreign]),
    contexts=one_of(CONTEXTS),
    cache=one_of(CACHES),
    kind="classes|quadrants",
    labelled=one_of([*CLASS_SETS, *CONCEPT_PAIRS]),
    artifact=one_of([*ARTIFACTS, *REPORTED, *PASSED_ON]),
    collection=one_of(PLAN.collections),


def growing(**amounts):
    """Resources of which each retry asks for more: a job stopped for its memory or its time then gets further.

    None asks for more than its Slurm partition has, nor the retry of a job that was refused for its input, for which no amount
    is enough.
    """

    def asked_for(name, amount):
        def value(wildcards, **given):
            attempt, rule = given["attempt"], workflow.get_rule(given["rulename"])
            times = 1 if attempt == 1 or was_refused(rule, wildcards) else attempt
            return min(amount * times, getattr(limits_of(rule, wildcards, given), name))

        return value

    return {name: asked_for(name, amount) for name, amount in amounts.items()}


def was_refused(rule, wildcards):
    """Whether a job was refused for its input before, in this run."""
    outputs = rule.expand_output(wildcards)[0]
    return refusal([*outputs, *map(os.path.dirname, outputs)])  # of a folder, the output may be the file that tells it


def runs_on_slurm():
    """Whether this Snakemake submits jobs to Slurm; that of a job does not, nor a dry run."""
    return workflow.is_main_process and workflow.executor_plugin and workflow.executor_plugin.name == "slurm"


def limits_of(rule, wildcards, given):
    """What a rule's job may ask for: where no partition is named, that of the default one.

    given: what Snakemake gives a function for a resource, of which the partition may be one too.
    """
    if not runs_on_slurm():
        return PartitionLimits()
    partition = rule.resources.get("slurm_partition")
    chosen_by_size = "SNAKEMAKE_SLURM_PARTITIONS" in os.environ or workflow.executor_settings.partition_config
    if chosen_by_size and not partition:
        return PartitionLimits()
    return partition_limits(partition.evaluate(wildcards, **given).value if partition else None)


def stage(name, options=None):
    """The parameters of a rule that runs a stage of the command line.

    name, and options, its flags beside its files: values, or functions of the wildcards that give them. The parameters are
    functions, since Snakemake would fill in braces in a user's strings.
    """
    of = lambda given, wildcards: given(wildcards) if callable(given) else given
    return {
        "stage": lambda wildcards: of(name, wildcards),
        "options": lambda wildcards: flags(of(options or {}, wildcards)),
        "code": lambda wildcards: code_sha256(of(name, wildcards)),
    }


def trained_by(saes, wildcards):
    """The SAEs of a training job; `{sae}` stands for the one that the job's wildcard names."""
    return [PLAN.saes[wildcards.get("sae", sae)] for sae in saes]


def training_flags(specs):
    """The seed that they share, then what sets each apart from another."""
    saes = []
    for spec in specs:
        own = {"variant": spec.variant, "k": spec.k, "rates": spec.rates, "options": spec.options.words()}
        saes.append(flags({key: value for key, value in (own | {"ablation": spec.ablation or ()}).items() if value}))
    return f"--seed {specs[0].seed} " + " --and ".join(saes)


def rules_of(specs):
    """The modules of their variants' rules, which are all of the variants' code that their training follows."""
    return sorted({rule_module(spec.variant) for spec in specs})


def planted_flags(wildcards):
    """What sets the SAEs of a job on synthetic activations apart, its cache and its seed among it, in the order of WORLDS."""
    saes = []
    for world, spec in zip(WORLDS, PLAN.planted[wildcards.planted]):
        own = {"activations": f"{RUN}/synthetic/{world}", "seed": spec.seed, "variant": spec.variant, "k": spec.k}
        own |= {name: value for name, value in {"rates": spec.rates, "options": spec.options.words()}.items() if value}
        saes.append(flags(own))
    return " --and ".join(saes)


def inference_rules(wildcards):
    """By which an SAE is read out; one from elsewhere by its own."""
    if wildcards.sae in PLAN.foreign:
        return {}
    return {"inference": [readout.inference for readout in VARIANTS[PLAN.saes[wildcards.sae].variant].readouts]}


def rule_at_equal_l0(wildcards):
    """By which an SAE is read out at equal L0: that in the form of its variant's own."""
    return VARIANTS[PLAN.saes[wildcards.sae].variant].rule_at_equal_l0


def announce():
    """Says what the jobs to do will take, and ends the run where this machine has not got it."""
    from wta_sae.forecast.probe import processor_speed  # here, for numpy: a cluster's jobs read this file too

    jobs = [
        WorkflowJob.of_log(str(job.log[0]), job.threads, "gpu" in job.resources.keys())
        for job in workflow.dag.needrun_jobs()
        if job.log
    ]
    finished = finished_in(Path("results"), config)
    if workflow.local_exec:
        rates = Rates(finished, processor_speed)
        gpus = workflow.global_resources["gpu"].value if "gpu" in workflow.global_resources else 0
        machine = this_machine(Path("results"), workflow.cores, gpus)
    else:
        rates = Rates(finished, None)
        machine = a_cluster(Path("results"), workflow.nodes)
    forecast = checked(Forecast, config, jobs, machine, Path(RUN), rates)
    print(*announcement(forecast), sep="\n", file=sys.stderr, flush=True)
    checked(forecast.check)


def training_of(spec):
    """The section `training` as an SAE has it, which it shares with all that train in one job with it."""
    return {key: value for key, value in {**config["training"], **dict(spec.training)}.items() if key != "saes_together"}
