rule reproduction:
    input:
        config="<run>/config.json",
        metrics="<run>/metrics.csv",
        published="paper/published.yaml",
    output:
        "<run>/reproduction.md",
    log:
        "<run>/logs/reproduction.log",
    benchmark:
        "<run>/benchmarks/reproduction.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code_sha256("reproduction"),
        published=state_of("paper/published.yaml"),
    shell:
        "python -m wta_sae reproduction --config {input.config} --metrics {input.metrics} --published {input.published}"
        " --out {output} > {log} 2>&1"


rule table_claims:
    input:
        config="<run>/config.json",
        metrics="<run>/metrics.csv",
        published="paper/published.yaml",
    output:
        "<run>/table_claims.tex",
    log:
        "<run>/logs/table_claims.log",
    benchmark:
        "<run>/benchmarks/table_claims.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code_sha256("table-claims"),
        published=state_of("paper/published.yaml"),
    shell:
        "python -m wta_sae table-claims --config {input.config} --metrics {input.metrics} --published {input.published}"
        " --out {output} > {log} 2>&1"
