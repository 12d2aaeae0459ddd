use rule gpu_stage as cache_activations with:
    input:
        lm=LANGUAGE_MODEL,
        token_file=lambda wildcards: f"<run>/tokens/{CACHES[wildcards.cache]}.safetensors",
    output:
        # Of the folder the file that tells all of it, for Snakemake knows a small file by its content and a folder by its time:
        # where the same cache is made again, SAEs that were trained on it stay.
        "<run>/{cache}/manifest.json",
    log:
        "<run>/logs/cache_activations/{cache}.log",
    benchmark:
        "<run>/benchmarks/cache_activations/{cache}.tsv"
    threads: THREADS
    params:
        **stage(
            "cache-activations",
            lambda wildcards: {
                **HOOKED,
                **{k: v for k, v in config["activations"].items() if k not in ("packing", "prepend_bos")},
                "seed": SEED,
                "threads": THREADS,
                "out": f"{RUN}/{wildcards.cache}",
            },
        ),


# By hand, where the caches are in the way: the paper's take 205 GB. What was trained on them stays, and stays up to date.
rule free_activations:
    input:
        expand("<run>/sae/{sae}", sae=[*PLAN.saes, *PLAN.on_synthetic]),
    log:
        "<run>/logs/free_activations.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        caches=[f"{RUN}/{cache}" for cache in [*CACHES, *(f"synthetic/{world}" for world in WORLDS)]],
    shell:
        "python -m wta_sae free-activations {params.caches} > {log} 2>&1"
