from snakemake.utils import min_version

min_version("9.14")


configfile: "config.yaml"


include: "workflow/rules/common.smk"


pathvars:
    run=f"results/{config['run']}",


include: "workflow/rules/text.smk"
include: "workflow/rules/language_model.smk"
include: "workflow/rules/activations.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/matched.smk"
include: "workflow/rules/paper.smk"
include: "workflow/rules/reproduction.smk"


resource_scopes:
    gpu="local",  # --resources gpu=N is about one machine; on a cluster each job has its own


# Locally one job a GPU at a time, unless the command line says otherwise; without a GPU nothing holds these jobs back.
if (gpus := len(visible_gpus())) and "gpu" not in workflow.global_resources:
    workflow.global_resources["gpu"] = gpus


rule all:
    default_target: True
    input:
        "results/paper.pdf",
        "results/table1.tex",
        "results/table_published.tex",
        "results/table_matched.tex",
        "results/table_claims.tex",
        "results/table2.tex",
        "results/figure1.pdf",
        "results/figure2.pdf",
        "results/figure3.pdf",
        "results/reproduction.md",
        "<run>/metrics.csv",
