rule cache_activations:
    input:
        lm=LANGUAGE_MODEL,
        tokens=lambda wildcards: f"<run>/tokens/{CACHES[wildcards.cache]}.safetensors",
        code=source_files("cache-activations"),
    output:
        directory("<run>/{cache}"),
    log:
        "<run>/logs/cache_activations/{cache}.log",
    benchmark:
        "<run>/benchmarks/cache_activations/{cache}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
        gpu=1,
    params:
        layer=config["language_model"]["layer"],
        options=flags({k: v for k, v in config["activations"].items() if k not in CONCATENATED}),
        seed=SEED,
        threads=THREADS,  # not {threads}, which fewer cores make smaller
    shell:
        "python -m wta_sae cache-activations --lm {input.lm:q} --layer {params.layer} --token-file {input.tokens}"
        " {params.options} --seed {params.seed} --threads {params.threads} --out {output} > {log} 2>&1"
