from snakemake.utils import min_version

min_version("9.14")


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"


pathvars:
    run=RUN,


include: "workflow/rules/stage.smk"


if not BUNDLE:

    include: "workflow/rules/text.smk"
    include: "workflow/rules/language_model.smk"
    include: "workflow/rules/activations.smk"
    include: "workflow/rules/train.smk"
    include: "workflow/rules/evaluate.smk"

    if PLAN.planted:

        include: "workflow/rules/synthetic.smk"
    include: "workflow/rules/collect.smk"


include: "workflow/rules/bundle.smk"
include: "workflow/rules/paper.smk"


resource_scopes:
    gpu="local",  # --resources gpu=N is about one machine; on a cluster each job has its own


# Locally one job a GPU at a time, unless the command line says otherwise; without a GPU nothing holds these jobs back.
if (gpus := len(visible_gpus())) and "gpu" not in workflow.global_resources:
    workflow.global_resources["gpu"] = gpus


# What a profile sets for `gpu_rules` it sets for every rule that asks for a GPU, unless it names the rule itself.
settings = workflow.resource_settings._parsed_overwrite_resources
for one in workflow.rules:
    if "gpu" in one.resources:
        one.resources.update(settings.get("gpu_rules", {}))
        one.resources.update(settings.get(one.name, {}))


rule all:
    default_target: True
    input:
        [f"results/{artifact}" for artifact in [*ARTIFACTS, *REPORTED]],
        "results/latents",
        "<run>/metrics.csv",


# All that needs a network.
rule fetched:
    input:
        FETCHED,


# Snakemake's own limit, of 100 jobs a second, has it look for jobs to start every second, and for each job that has finished
# once a second more: hundreds of jobs later that takes half a core. A limit that the command line sets is kept.
onstart:
    if workflow.is_main_process and not (BUNDLE or workflow.touch):
        announce()
    if runs_on_slurm():
        fail_preempted_jobs()
    limit = workflow.scheduler.job_rate_limiter
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


onsuccess:
    shutil.rmtree(os.environ[FOLDER_VARIABLE], ignore_errors=True)


onerror:
    shutil.rmtree(os.environ[FOLDER_VARIABLE], ignore_errors=True)
