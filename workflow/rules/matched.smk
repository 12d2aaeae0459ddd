rule calibrate:
    input:
        lm=LANGUAGE_MODEL,
        sae="<run>/sae/{sae}",
        tokens="<run>/tokens/calibration.safetensors",
    output:
        directory("<run>/matched/{sae}"),
    log:
        "<run>/logs/calibrate/{sae}.log",
    benchmark:
        "<run>/benchmarks/calibrate/{sae}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
        gpu=1,
    params:
        layer=config["language_model"]["layer"],
        l0=config["paper"]["table1_k"],
        batch_contexts=config["evaluation"]["batch_contexts"],
        code=code_sha256("calibrate"),
    shell:
        "python -m wta_sae calibrate --lm {input.lm:q} --layer {params.layer} --sae {input.sae} --l0 {params.l0}"
        " --token-file {input.tokens} --batch-contexts {params.batch_contexts} --threads {threads} --out {output} > {log} 2>&1"


rule evaluate_matched:
    input:
        lm=LANGUAGE_MODEL,
        sae="<run>/matched/{sae}",
        tokens="<run>/tokens/evaluation.safetensors",
    output:
        metrics="<run>/metrics/{sae}/matched.json",
    log:
        "<run>/logs/evaluate_matched/{sae}.log",
    benchmark:
        "<run>/benchmarks/evaluate_matched/{sae}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
        gpu=1,
    params:
        layer=config["language_model"]["layer"],
        batch_contexts=config["evaluation"]["batch_contexts"],
        code=code_sha256("evaluate core"),
    shell:
        "python -m wta_sae evaluate core --lm {input.lm:q} --layer {params.layer} --sae {input.sae}"
        " --inference matched_topk matched_threshold matched_per_latent --token-file {input.tokens}"
        " --batch-contexts {params.batch_contexts} --threads {threads} --out {output.metrics} > {log} 2>&1"
