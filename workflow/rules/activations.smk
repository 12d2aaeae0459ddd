rule cache_activations:
    input:
        lm=LANGUAGE_MODEL,
        tokens="<run>/tokens/train.safetensors",
        code=source_files("cache-activations"),
    output:
        directory("<run>/activations"),
    log:
        "<run>/logs/cache_activations.log",
    benchmark:
        "<run>/benchmarks/cache_activations.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 4
    resources:
        mem_mb=4000,
        runtime=120,
        gpu=1,
    params:
        layer=config["language_model"]["layer"],
        options=flags(config["activations"]),
        seed=config["seed"],
    shell:
        "python -m wta_sae cache-activations --lm {input.lm:q} --layer {params.layer} --token-file {input.tokens}"
        " {params.options} --seed {params.seed} --out {output} > {log} 2>&1"
