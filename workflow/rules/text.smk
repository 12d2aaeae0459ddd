# Priority: what text and labels cannot give is found before anything is trained on them.


use rule stage as collect_text with:
    input:
        lambda wildcards: TEXT_FILES if wildcards.source == "files" else [],
        # The default text is the documentation of the packages that these pins install.
        "constraints.txt",
    output:
        out="<run>/text/{source}.parquet",
    log:
        "<run>/logs/collect_text/{source}.log",
    benchmark:
        "<run>/benchmarks/collect_text/{source}.tsv"
    wildcard_constraints:
        source="docstrings|files",
    priority: 1
    threads: THREADS
    params:
        **stage(
            lambda wildcards: f"collect-text {wildcards.source}",
            lambda wildcards: {
                **config["text"][wildcards.source],
                "evaluation_share": config["text"]["evaluation_share"],
                **({"workers": THREADS} if wildcards.source == "docstrings" else {}),
            },
        ),
        sources=lambda wildcards: state_of("constraints.txt", *(TEXT_FILES if wildcards.source == "files" else [])),


use rule stage as fetch_text with:
    output:
        out="<run>/text/hub.parquet",
    log:
        "<run>/logs/fetch_text.log",
    benchmark:
        "<run>/benchmarks/fetch_text.tsv"
    priority: 1
    localrule: True  # cluster nodes often have no network
    params:
        **stage(
            "collect-text hub",
            lambda wildcards: config["text"]["hub"] | {"evaluation_share": config["text"]["evaluation_share"]},
        ),


use rule stage as train_tokenizer with:
    input:
        documents=DOCUMENTS,
    output:
        out=directory("<run>/tokenizer"),
    log:
        "<run>/logs/train_tokenizer.log",
    benchmark:
        "<run>/benchmarks/train_tokenizer.tsv"
    priority: 1
    threads: THREADS
    params:
        **stage("train-tokenizer", {"vocabulary": config["language_model"].get("train", {}).get("vocabulary")}),


use rule stage as tokenize with:
    input:
        CHECKED_MODEL,
        documents=DOCUMENTS,
        tokenizer=TOKENIZER,
    output:
        out="<run>/tokens/{contexts}.safetensors",
    log:
        "<run>/logs/tokenize/{contexts}.log",
    benchmark:
        "<run>/benchmarks/tokenize/{contexts}.tsv"
    priority: 1
    threads: THREADS
    resources:
        **growing(mem_mb=3000 + TOKENS_MB, runtime=60),
    params:
        **stage(
            "tokenize",
            lambda wildcards: {
                **CONTEXTS[wildcards.contexts],
                "context_length": config["text"]["context_length"],
                "seed": SEED,
            },
        ),


use rule stage as fetch_labelled_texts with:
    output:
        out="<run>/labelled/rows/{dataset}.parquet",
    log:
        "<run>/logs/fetch_labelled_texts/{dataset}.log",
    benchmark:
        "<run>/benchmarks/fetch_labelled_texts/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(FETCHED_DATASETS),
    priority: 1
    localrule: True  # cluster nodes often have no network
    params:
        **stage("fetch-labelled-texts", lambda wildcards: FETCHED_DATASETS[wildcards.dataset]),


use rule stage as label_files with:
    input:
        lambda wildcards: LABELLED_FILES[wildcards.dataset],
    output:
        out="<run>/labelled/rows/{dataset}.parquet",
    log:
        "<run>/logs/label_files/{dataset}.log",
    benchmark:
        "<run>/benchmarks/label_files/{dataset}.tsv"
    wildcard_constraints:
        dataset=one_of(FILE_DATASETS),
    priority: 1
    params:
        **stage("label files", lambda wildcards: {**FILE_DATASETS[wildcards.dataset], "seed": SEED}),
        sources=lambda wildcards: state_of(*LABELLED_FILES[wildcards.dataset]),


use rule stage as label_docstrings with:
    input:
        documents="<run>/text/docstrings.parquet",
    output:
        out=f"<run>/labelled/rows/{DOCSTRINGS}.parquet",
    log:
        "<run>/logs/label_docstrings.log",
    benchmark:
        "<run>/benchmarks/label_docstrings.tsv"
    priority: 1
    params:
        **stage("label docstrings", {"seed": SEED}),


use rule stage as label_classes with:
    input:
        rows=lambda wildcards: f"<run>/labelled/rows/{CLASS_SETS[wildcards.labelled].rows}.parquet",
        tokenizer=TOKENIZER,
    output:
        out="<run>/labelled/classes/{labelled}.json",
    log:
        "<run>/logs/label_classes/{labelled}.log",
    benchmark:
        "<run>/benchmarks/label_classes/{labelled}.tsv"
    priority: 1
    params:
        **stage(
            "label classes",
            lambda wildcards: {
                **CLASS_SETS[wildcards.labelled].drawing(),
                "context_length": config["text"]["context_length"],
                "train": config["labelled_texts"]["train_per_class"],
                "test": config["labelled_texts"]["test_per_class"],
                "seed": SEED,
            },
        ),


use rule stage as label_quadrants with:
    input:
        rows=lambda wildcards: f"<run>/labelled/rows/{CONCEPT_PAIRS[wildcards.labelled].rows}.parquet",
        tokenizer=TOKENIZER,
    output:
        out="<run>/labelled/quadrants/{labelled}.json",
    log:
        "<run>/logs/label_quadrants/{labelled}.log",
    benchmark:
        "<run>/benchmarks/label_quadrants/{labelled}.tsv"
    priority: 1
    params:
        **stage(
            "label quadrants",
            lambda wildcards: {
                **CONCEPT_PAIRS[wildcards.labelled].drawing(),
                "context_length": config["text"]["context_length"],
                "train": config["labelled_texts"]["train_per_quadrant"],
                "test": config["labelled_texts"]["test_per_quadrant"],
            },
        ),
