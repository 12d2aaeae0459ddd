if config["language_model"]["source"] == "train":

    use rule gpu_stage as train_language_model with:
        input:
            tokenizer="<run>/tokenizer",
            train_token_file="<run>/tokens/train.safetensors",
            evaluation_token_file="<run>/tokens/evaluation.safetensors",
        output:
            out=directory("<run>/lm"),
        log:
            "<run>/logs/train_language_model.log",
        benchmark:
            "<run>/benchmarks/train_language_model.tsv"
        threads: THREADS
        params:
            **stage(
                "train-language-model",
                {k: v for k, v in config["language_model"]["train"].items() if k != "vocabulary"}
                | {"seed": SEED, "threads": THREADS},
            ),


if config["language_model"]["source"] == "hub":

    use rule stage as fetch_language_model with:
        output:
            out=directory("<run>/lm"),
        log:
            "<run>/logs/fetch_language_model.log",
        benchmark:
            "<run>/benchmarks/fetch_language_model.tsv"
        priority: 2
        localrule: True  # cluster nodes often have no network
        params:
            **stage("fetch-language-model", config["language_model"]["hub"]),


use rule gpu_stage as check_language_model with:
    input:
        lm=LANGUAGE_MODEL,
    output:
        out="<run>/language_model.json",
    log:
        "<run>/logs/check_language_model.log",
    priority: 2
    params:
        **stage("check-language-model", HOOKED | {"context_length": config["text"]["context_length"]}),
