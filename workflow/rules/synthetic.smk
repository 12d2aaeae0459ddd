# Activations whose true features are known, and the SAEs that train on them: those of one variant in one job, for all worlds.


use rule stage as make_synthetic with:
    output:
        "<run>/synthetic/{world}/manifest.json",
        world_out="<run>/synthetic/{world}.safetensors",
    log:
        "<run>/logs/make_synthetic/{world}.log",
    benchmark:
        "<run>/benchmarks/make_synthetic/{world}.tsv"
    wildcard_constraints:
        world=one_of(WORLDS),
    params:
        **stage(
            "make-synthetic",
            lambda wildcards: {
                **world_options(config["synthetic"]),
                **{name: config["synthetic"][name] for name in ("tokens", "shard_tokens")},
                "zipf": PLAN.worlds[wildcards.world].zipf,
                "seed": PLAN.worlds[wildcards.world].seed,
                "out": f"{RUN}/synthetic/{wildcards.world}",
            },
        ),


use rule gpu_stage as train_planted_saes with:
    input:
        [f"<run>/synthetic/{world}/manifest.json" for world in WORLDS],
    output:
        out=[directory(f"<run>/sae/{{planted}}-{world}") for world in WORLDS],
    log:
        "<run>/logs/train_planted_saes/{planted}.log",
    benchmark:
        "<run>/benchmarks/train_planted_saes/{planted}.tsv"
    wildcard_constraints:
        planted=one_of(PLAN.planted),
    params:
        stage="train-sae",
        options=lambda wildcards: f"{flags(config['synthetic']['training'])} {planted_flags(wildcards)}",
        code=lambda wildcards: code_sha256("train-sae", *rules_of(PLAN.planted[wildcards.planted])),


use rule stage as evaluate_truth with:
    input:
        saes=[f"<run>/sae/{{planted}}-{world}" for world in WORLDS],
        worlds=[f"<run>/synthetic/{world}.safetensors" for world in WORLDS],
    output:
        out=[f"<run>/metrics/{{planted}}-{world}/truth.json" for world in WORLDS],
    log:
        "<run>/logs/evaluate_truth/{planted}.log",
    benchmark:
        "<run>/benchmarks/evaluate_truth/{planted}.tsv"
    wildcard_constraints:
        planted=one_of(PLAN.planted),
    params:
        **stage(
            "evaluate truth",
            lambda wildcards: {"l0": config["synthetic"]["k"], "tokens": config["synthetic"]["evaluation_tokens"]},
        ),
