if config["language_model"]["source"] == "train":

    rule train_language_model:
        input:
            tokenizer="<run>/tokenizer",
            train="<run>/tokens/train.safetensors",
            evaluation="<run>/tokens/evaluation.safetensors",
        output:
            directory("<run>/lm"),
        log:
            "<run>/logs/train_language_model.log",
        benchmark:
            "<run>/benchmarks/train_language_model.tsv"
        conda:
            "../../envs/torch.yaml"
        threads: THREADS
        resources:
            mem_mb=growing(4000),
            runtime=growing(60),
            gpu=1,
        params:
            options=flags({k: v for k, v in config["language_model"]["train"].items() if k != "vocabulary"}),
            seed=SEED,
            threads=THREADS,  # not {threads}, which fewer cores make smaller
            code=code_sha256("train-language-model"),
        shell:
            "python -m wta_sae train-language-model --tokenizer {input.tokenizer:q} --train-token-file {input.train}"
            " --evaluation-token-file {input.evaluation} {params.options} --seed {params.seed} --threads {params.threads} --out {output} > {log} 2>&1"


if config["language_model"]["source"] == "hub":

    rule fetch_language_model:
        output:
            directory("<run>/lm"),
        log:
            "<run>/logs/fetch_language_model.log",
        benchmark:
            "<run>/benchmarks/fetch_language_model.tsv"
        priority: 2
        localrule: True  # cluster nodes often have no network
        conda:
            "../../envs/torch.yaml"
        resources:
            mem_mb=2000,
            runtime=120,
        params:
            options=lambda wildcards: flags(config["language_model"]["hub"]),
            code=code_sha256("fetch-language-model"),
        shell:
            "python -m wta_sae fetch-language-model {params.options} --out {output} > {log} 2>&1"


rule check_language_model:
    input:
        lm=LANGUAGE_MODEL,
    output:
        "<run>/language_model.json",
    log:
        "<run>/logs/check_language_model.log",
    benchmark:
        "<run>/benchmarks/check_language_model.tsv"
    priority: 2
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
        gpu=1,
    params:
        layer=config["language_model"]["layer"],
        length=config["text"]["context_length"],
        code=code_sha256("check-language-model"),
    shell:
        "python -m wta_sae check-language-model --lm {input.lm:q} --layer {params.layer} --context-length {params.length}"
        " --out {output} > {log} 2>&1"
