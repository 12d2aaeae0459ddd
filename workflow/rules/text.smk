# Priority: what text and labels cannot give is found before anything is trained on them.


rule collect_text:
    input:
        text_files,
        # The default text is the documentation of the packages that these pins install.
        pins="constraints.txt",
    output:
        "<run>/text/{source}.parquet",
    log:
        "<run>/logs/collect_text/{source}.log",
    benchmark:
        "<run>/benchmarks/collect_text/{source}.tsv"
    wildcard_constraints:
        source="docstrings|files",
    priority: 1
    conda:
        "../../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        options=lambda wildcards: flags(config["text"][wildcards.source]),
        workers=lambda wildcards: f"--workers {THREADS}" if wildcards.source == "docstrings" else "",
        evaluation_share=config["text"]["evaluation_share"],
        code=code_sha256("collect-text"),
        sources=lambda wildcards: state_of("constraints.txt", *text_files(wildcards)),
    shell:
        "python -m wta_sae collect-text {wildcards.source} {params.options} {params.workers}"
        " --evaluation-share {params.evaluation_share} --out {output} > {log} 2>&1"


rule fetch_text:
    output:
        "<run>/text/hub.parquet",
    log:
        "<run>/logs/fetch_text.log",
    benchmark:
        "<run>/benchmarks/fetch_text.tsv"
    priority: 1
    localrule: True  # cluster nodes often have no network
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        options=lambda wildcards: flags(config["text"].get("hub", {})),
        evaluation_share=config["text"]["evaluation_share"],
        code=code_sha256("collect-text"),
    shell:
        "python -m wta_sae collect-text hub {params.options}"
        " --evaluation-share {params.evaluation_share} --out {output} > {log} 2>&1"


rule train_tokenizer:
    input:
        documents=DOCUMENTS,
    output:
        directory("<run>/tokenizer"),
    log:
        "<run>/logs/train_tokenizer.log",
    benchmark:
        "<run>/benchmarks/train_tokenizer.tsv"
    priority: 1
    conda:
        "../../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=growing(3000 + 3 * TEXT_MB),
        runtime=growing(30),
    params:
        vocabulary=config["language_model"].get("train", {}).get("vocabulary"),
        code=code_sha256("train-tokenizer"),
    shell:
        "python -m wta_sae train-tokenizer --documents {input.documents} --vocabulary {params.vocabulary}"
        " --out {output} > {log} 2>&1"


rule tokenize:
    input:
        documents=DOCUMENTS,
        tokenizer=TOKENIZER,
        checked=CHECKED_MODEL,
    output:
        "<run>/tokens/{contexts}.safetensors",
    log:
        "<run>/logs/tokenize/{contexts}.log",
    benchmark:
        "<run>/benchmarks/tokenize/{contexts}.tsv"
    priority: 1
    conda:
        "../../envs/torch.yaml"
    threads: THREADS
    resources:
        mem_mb=growing(3000 + 3 * TEXT_MB),
        runtime=growing(60),
    params:
        options=lambda wildcards: flags(CONTEXTS[wildcards.contexts]),
        length=config["text"]["context_length"],
        seed=SEED,
        code=code_sha256("tokenize"),
    shell:
        "python -m wta_sae tokenize --documents {input.documents} --tokenizer {input.tokenizer:q}"
        " {params.options} --context-length {params.length} --seed {params.seed} --out {output} > {log} 2>&1"


rule fetch_labelled_texts:
    output:
        "<run>/labelled/rows/{dataset}.parquet",
    log:
        "<run>/logs/fetch_labelled_texts/{dataset}.log",
    benchmark:
        "<run>/benchmarks/fetch_labelled_texts/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(FETCHED_DATASETS),
    priority: 1
    localrule: True  # cluster nodes often have no network
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        options=lambda wildcards: FETCHED_DATASETS[wildcards.dataset],
        code=code_sha256("fetch-labelled-texts"),
    shell:
        "python -m wta_sae fetch-labelled-texts {params.options} --out {output} > {log} 2>&1"


rule label_files:
    input:
        lambda wildcards: LABELLED_FILES[wildcards.dataset],
    output:
        "<run>/labelled/rows/{dataset}.parquet",
    log:
        "<run>/logs/label_files/{dataset}.log",
    benchmark:
        "<run>/benchmarks/label_files/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(FILE_DATASETS),
    priority: 1
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        options=lambda wildcards: FILE_DATASETS[wildcards.dataset],
        seed=SEED,
        code=code_sha256("label files"),
        sources=lambda wildcards: state_of(*LABELLED_FILES[wildcards.dataset]),
    shell:
        "python -m wta_sae label files {params.options} --seed {params.seed} --out {output} > {log} 2>&1"


rule label_docstrings:
    input:
        documents="<run>/text/docstrings.parquet",
    output:
        f"<run>/labelled/rows/{DOCSTRINGS}.parquet",
    log:
        "<run>/logs/label_docstrings.log",
    benchmark:
        "<run>/benchmarks/label_docstrings.tsv"
    priority: 1
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        seed=SEED,
        code=code_sha256("label docstrings"),
    shell:
        "python -m wta_sae label docstrings --documents {input.documents} --seed {params.seed} --out {output} > {log} 2>&1"


rule label_classes:
    input:
        rows=lambda wildcards: f"<run>/labelled/rows/{CLASS_SETS[wildcards.class_set].rows}.parquet",
        tokenizer=TOKENIZER,
    output:
        "<run>/labelled/classes/{class_set}.json",
    log:
        "<run>/logs/label_classes/{class_set}.log",
    benchmark:
        "<run>/benchmarks/label_classes/{class_set}.tsv"
    priority: 1
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        options=lambda wildcards: class_set_flags(CLASS_SETS[wildcards.class_set]),
        length=config["text"]["context_length"],
        train=config["labelled_texts"]["train_per_class"],
        test=config["labelled_texts"]["test_per_class"],
        seed=SEED,
        code=code_sha256("label classes"),
    shell:
        "python -m wta_sae label classes --rows {input.rows} {params.options} --train {params.train} --test {params.test}"
        " --tokenizer {input.tokenizer:q} --context-length {params.length}"
        " --seed {params.seed} --out {output} > {log} 2>&1"


rule label_quadrants:
    input:
        rows=lambda wildcards: f"<run>/labelled/rows/{CONCEPT_PAIRS[wildcards.pair].rows}.parquet",
        tokenizer=TOKENIZER,
    output:
        "<run>/labelled/quadrants/{pair}.json",
    log:
        "<run>/logs/label_quadrants/{pair}.log",
    benchmark:
        "<run>/benchmarks/label_quadrants/{pair}.tsv"
    priority: 1
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        options=lambda wildcards: pair_flags(CONCEPT_PAIRS[wildcards.pair]),
        length=config["text"]["context_length"],
        train=config["labelled_texts"]["train_per_quadrant"],
        test=config["labelled_texts"]["test_per_quadrant"],
        code=code_sha256("label quadrants"),
    shell:
        "python -m wta_sae label quadrants --rows {input.rows} {params.options} --train {params.train} --test {params.test}"
        " --tokenizer {input.tokenizer:q} --context-length {params.length}"
        " --out {output} > {log} 2>&1"
