rule train_sae:
    input:
        activations=sae_activations,
        code=source_files("train-sae"),
    output:
        directory("<run>/sae/{sae}"),
    log:
        "<run>/logs/train_sae/{sae}.log",
    benchmark:
        "<run>/benchmarks/train_sae/{sae}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
        gpu=1,
    params:
        sae=sae_flags,
        options=flags(config["training"]),
    shell:
        "python -m wta_sae train-sae --activations {input.activations} {params.sae} {params.options}"
        " --out {output} > {log} 2>&1"
