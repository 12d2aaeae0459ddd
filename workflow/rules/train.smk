# A rule for an SAE trained alone, and one for each group that training.saes_together puts together: its job trains them in one
# pass over the cache, and each is a target still. Where both rules make an SAE, Snakemake takes the one without wildcards.
GROUPS = {f"train_saes_{number}": saes for number, saes in enumerate(PLAN.together, 1) if len(saes) > 1}


for name, saes in {"train_sae": ["{sae}"], **GROUPS}.items():

    rule:
        name:
            name
        input:
            manifest=lambda wildcards, saes=saes: f"<run>/{cache_name(config, trained_by(saes, wildcards)[0])}/manifest.json",
        output:
            [directory(f"<run>/sae/{sae}") for sae in saes],
        log:
            f"<run>/logs/train_sae/{saes[0]}.log",
        benchmark:
            f"<run>/benchmarks/train_sae/{saes[0]}.tsv"
        wildcard_constraints:
            sae=one_of(PLAN.saes),
        conda:
            "../../envs/torch.yaml"
        threads: 1
        resources:
            **growing(mem_mb=3000 + 1000 * len(saes), runtime=240 * len(saes)),
            gpu=1,
            checkpoint_seconds=300,  # a resource, since no change of a resource makes Snakemake train again
        params:
            activations=subpath(input.manifest, parent=True),
            options=lambda wildcards, saes=saes: flags(training_of(trained_by(saes, wildcards)[0])),
            saes=lambda wildcards, saes=saes: training_flags(trained_by(saes, wildcards)),
            code=lambda wildcards, saes=saes: code_sha256("train-sae", *rules_of(trained_by(saes, wildcards))),
        shell:
            "python -m wta_sae train-sae --activations {params.activations} --out {output} {params.options}"
            " --threads {threads} --checkpoint-seconds {resources.checkpoint_seconds} {params.saes} > {log} 2>&1"


# Foreign SAEs lie among the run's own, and are evaluated as they are.
use rule stage as import_sae with:
    input:
        lambda wildcards: [f"{PLAN.foreign[wildcards.sae]}/{file}" for file in FOREIGN_FILES],
    output:
        out=directory("<run>/sae/{sae}"),
    log:
        "<run>/logs/import_sae/{sae}.log",
    wildcard_constraints:
        sae=one_of(PLAN.foreign),
    priority: 1
    localrule: True
    params:
        **stage("import-sae", lambda wildcards: {"sae": PLAN.foreign[wildcards.sae]}),
