rule cache_activations:
    input:
        lm=LANGUAGE_MODEL,
        tokens=lambda wildcards: f"<run>/tokens/{CACHES[wildcards.cache]}.safetensors",
    output:
        # Of the folder the file that tells all of it, for Snakemake knows a small file by its content and a folder by its time:
        # where the same cache is made again, SAEs that were trained on it stay.
        "<run>/{cache}/manifest.json",
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
        out=subpath(output[0], parent=True),
        layer=config["language_model"]["layer"],
        options=flags({k: v for k, v in config["activations"].items() if k not in CONCATENATED}),
        seed=SEED,
        threads=THREADS,  # not {threads}, which fewer cores make smaller
        code=code_sha256("cache-activations"),
    shell:
        "python -m wta_sae cache-activations --lm {input.lm:q} --layer {params.layer} --token-file {input.tokens}"
        " {params.options} --seed {params.seed} --threads {params.threads} --out {params.out} > {log} 2>&1"


# By hand, where the caches are in the way: the paper's take 205 GB. What was trained on them stays, and stays up to date.
rule free_activations:
    input:
        expand("<run>/sae/{sae}", sae=SAES),
    log:
        "<run>/logs/free_activations.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        caches=[f"{RUN}/{cache}" for cache in CACHES],
    shell:
        "python -m wta_sae free-activations {params.caches} > {log} 2>&1"
