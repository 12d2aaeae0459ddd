# Foreign SAEs lie among the run's own, and are evaluated as they are.
rule import_sae:
    input:
        lambda wildcards: [f"{FOREIGN_SAES[wildcards.sae]}/{file}" for file in FOREIGN_FILES],
    output:
        directory("<run>/sae/{sae}"),
    log:
        "<run>/logs/import_sae/{sae}.log",
    wildcard_constraints:
        sae=one_of(FOREIGN_SAES),
    priority: 1
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        sae=lambda wildcards: FOREIGN_SAES[wildcards.sae],
        code=code_sha256("import-sae"),
    shell:
        "python -m wta_sae import-sae --sae {params.sae:q} --out {output} > {log} 2>&1"


rule evaluate_core:
    input:
        lm=LANGUAGE_MODEL,
        sae="<run>/sae/{sae}",
        tokens="<run>/tokens/evaluation.safetensors",
    output:
        metrics="<run>/metrics/{sae}/core.json",
        latents="<run>/metrics/{sae}/core.safetensors",
    log:
        "<run>/logs/evaluate_core/{sae}.log",
    benchmark:
        "<run>/benchmarks/evaluate_core/{sae}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
        gpu=1,
    params:
        layer=config["language_model"]["layer"],
        inference=inference_rules,
        batch_contexts=config["evaluation"]["batch_contexts"],
        code=code_sha256("evaluate core"),
    shell:
        "python -m wta_sae evaluate core --lm {input.lm:q} --layer {params.layer} --sae {input.sae}"
        " {params.inference} --token-file {input.tokens} --batch-contexts {params.batch_contexts}"
        " --threads {threads}"
        " --out {output.metrics} --latents-out {output.latents} > {log} 2>&1"


rule evaluate_geometry:
    input:
        sae="<run>/sae/{sae}",
    output:
        metrics="<run>/metrics/{sae}/geometry.json",
        latents="<run>/metrics/{sae}/geometry.safetensors",
    log:
        "<run>/logs/evaluate_geometry/{sae}.log",
    benchmark:
        "<run>/benchmarks/evaluate_geometry/{sae}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        code=code_sha256("evaluate geometry"),
    shell:
        "python -m wta_sae evaluate geometry --sae {input.sae} --threads {threads}"
        " --out {output.metrics} --latents-out {output.latents} > {log} 2>&1"


rule evaluate_subspace:
    input:
        lm=LANGUAGE_MODEL,
        sae="<run>/sae/{sae}",
        tokens="<run>/tokens/evaluation.safetensors",
    output:
        metrics="<run>/metrics/{sae}/subspace.json",
    log:
        "<run>/logs/evaluate_subspace/{sae}.log",
    benchmark:
        "<run>/benchmarks/evaluate_subspace/{sae}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
        gpu=1,
    params:
        layer=config["language_model"]["layer"],
        inference=inference_rules,
        batch_contexts=config["evaluation"]["batch_contexts"],
        code=code_sha256("evaluate subspace"),
    shell:
        "python -m wta_sae evaluate subspace --lm {input.lm:q} --layer {params.layer} --sae {input.sae}"
        " {params.inference} --token-file {input.tokens} --batch-contexts {params.batch_contexts}"
        " --threads {threads}"
        " --out {output.metrics} > {log} 2>&1"


rule evaluate_classes:
    input:
        lm=LANGUAGE_MODEL,
        sae="<run>/sae/{sae}",
        texts=PROBING_TEXTS,
        tpp_texts=TPP_TEXTS,
    output:
        probing="<run>/metrics/{sae}/probing.json",
        tpp="<run>/metrics/{sae}/tpp.json",
    log:
        "<run>/logs/evaluate_classes/{sae}.log",
    benchmark:
        "<run>/benchmarks/evaluate_classes/{sae}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
        gpu=1,
    params:
        layer=config["language_model"]["layer"],
        inference=inference_rules,
        context_length=config["text"]["context_length"],
        batch_texts=config["evaluation"]["batch_texts"],
        perturbed_latents=config["evaluation"]["perturbed_latents"],
        seed=SEED,
        code=code_sha256("evaluate classes"),
    shell:
        "python -m wta_sae evaluate classes --lm {input.lm:q} --layer {params.layer} --sae {input.sae}"
        " {params.inference} --texts {input.texts} --tpp-texts {input.tpp_texts} --context-length {params.context_length}"
        " --batch-texts {params.batch_texts} --perturbed-latents {params.perturbed_latents}"
        " --seed {params.seed} --threads {threads} --probing-out {output.probing} --tpp-out {output.tpp} > {log} 2>&1"


rule evaluate_scr:
    input:
        lm=LANGUAGE_MODEL,
        sae="<run>/sae/{sae}",
        quadrants=QUADRANTS,
    output:
        metrics="<run>/metrics/{sae}/scr.json",
    log:
        "<run>/logs/evaluate_scr/{sae}.log",
    benchmark:
        "<run>/benchmarks/evaluate_scr/{sae}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
        gpu=1,
    params:
        layer=config["language_model"]["layer"],
        inference=inference_rules,
        context_length=config["text"]["context_length"],
        batch_texts=config["evaluation"]["batch_texts"],
        perturbed_latents=config["evaluation"]["perturbed_latents"],
        seed=SEED,
        code=code_sha256("evaluate scr"),
    shell:
        "python -m wta_sae evaluate scr --lm {input.lm:q} --layer {params.layer} --sae {input.sae}"
        " {params.inference} --quadrants {input.quadrants} --context-length {params.context_length}"
        " --batch-texts {params.batch_texts} --perturbed-latents {params.perturbed_latents}"
        " --seed {params.seed} --threads {threads} --out {output.metrics} > {log} 2>&1"


rule collect_metrics:
    input:
        unpack(collected),
    output:
        "<run>/{collection}.csv",
    log:
        "<run>/logs/collect_metrics/{collection}.log",
    benchmark:
        "<run>/benchmarks/collect_metrics/{collection}.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        run=config["run"],
        foreign=foreign_flags,
        code=code_sha256("collect-metrics"),
    shell:
        "python -m wta_sae collect-metrics --run {params.run} --saes {input.saes} {params.foreign} --metric-files {input.metrics}"
        " --out {output} > {log} 2>&1"
