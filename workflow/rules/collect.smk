use rule stage as record_config with:
    output:
        out="<run>/config.json",
    log:
        "<run>/logs/record_config.log",
    localrule: True
    params:
        **stage("record-config", {"values": json.dumps(config, sort_keys=True)}),


use rule stage as record_provenance with:
    input:
        config="<run>/config.json",
        saes=expand("<run>/sae/{sae}", sae=[*PLAN.saes, *PLAN.on_synthetic]),
        imported=expand("<run>/sae/{sae}", sae=PLAN.foreign),
        token_files=expand("<run>/tokens/{contexts}.safetensors", contexts=CONTEXTS),
        text_files=[f"<run>/labelled/{labelled}.json" for labelled in LABELLED],
    output:
        out="<run>/provenance.json",
    log:
        "<run>/logs/record_provenance.log",
    localrule: True
    params:
        **stage("record-provenance"),


use rule stage as collect_metrics with:
    input:
        unpack(
            lambda wildcards: {
                "saes": [f"<run>/sae/{sae}" for sae in PLAN.collections[wildcards.collection]],
                "metric_files": [
                    f"<run>/metrics/{sae}/{evaluation}.json"
                    for sae, evaluations in PLAN.collections[wildcards.collection].items()
                    for evaluation in evaluations
                ],
            }
        ),
    output:
        out="<run>/{collection}.csv",
    log:
        "<run>/logs/collect_metrics/{collection}.log",
    localrule: True
    params:
        **stage(
            "collect-metrics",
            lambda wildcards: {
                "run": config["run"],
                "foreign": [sae for sae in PLAN.collections[wildcards.collection] if sae in PLAN.foreign],
            },
        ),
