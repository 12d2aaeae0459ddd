use rule gpu_stage as evaluate_tokens with:
    input:
        lm=LANGUAGE_MODEL,
        sae="<run>/sae/{sae}",
        token_file="<run>/tokens/evaluation.safetensors",
    output:
        out="<run>/metrics/{sae}/tokens.json",
        latents_out="<run>/metrics/{sae}/tokens.safetensors",
    log:
        "<run>/logs/evaluate_tokens/{sae}.log",
    benchmark:
        "<run>/benchmarks/evaluate_tokens/{sae}.tsv"
    params:
        **stage(
            "evaluate tokens",
            lambda wildcards: {
                **HOOKED,
                **inference_rules(wildcards),
                "families": PLAN.token_families(wildcards.sae),
                "batch_contexts": config["evaluation"]["batch_contexts"],
            },
        ),


RESIDUALS = directory("<run>/labelled/residuals/{kind}/{labelled}")


# What no SAE changes is computed once: a language model's residuals of the labelled texts, and probes on them.
use rule gpu_stage as cache_texts with:
    input:
        lm=LANGUAGE_MODEL,
        texts="<run>/labelled/{kind}/{labelled}.json",
    output:
        out=temp(RESIDUALS) if residuals_are_large(config) else RESIDUALS,
    log:
        "<run>/logs/cache_texts/{kind}/{labelled}.log",
    benchmark:
        "<run>/benchmarks/cache_texts/{kind}/{labelled}.tsv"
    params:
        **stage(
            "cache-texts",
            lambda wildcards: {
                **HOOKED,
                "kind": wildcards.kind,
                "context_length": config["text"]["context_length"],
                "batch_texts": config["evaluation"]["batch_texts"],
                "seed": SEED,
            },
        ),


use rule gpu_stage as train_probes with:
    input:
        residuals="<run>/labelled/residuals/{kind}/{labelled}",
    output:
        out="<run>/labelled/probes/{kind}/{labelled}.safetensors",
    log:
        "<run>/logs/train_probes/{kind}/{labelled}.log",
    benchmark:
        "<run>/benchmarks/train_probes/{kind}/{labelled}.tsv"
    params:
        **stage(
            "train-probes",
            lambda wildcards: {
                "families": CLASS_SETS[wildcards.labelled].families if wildcards.kind == "classes" else ["scr"],
                "seed": SEED,
            },
        ),


LABELLED = [*(f"classes/{name}" for name in CLASS_SETS), *(f"quadrants/{name}" for name in CONCEPT_PAIRS)]
RESIDUAL_FOLDERS = [f"<run>/labelled/residuals/{labelled}" for labelled in LABELLED]
PROBE_FILES = [f"<run>/labelled/probes/{labelled}.safetensors" for labelled in LABELLED]
TEXT_OPTIONS = {name: config["evaluation"][name] for name in ("batch_texts", "perturbed_latents")}


use rule gpu_stage as evaluate_texts with:
    input:
        sae="<run>/sae/{sae}",
        residual_folders=RESIDUAL_FOLDERS,
        probe_files=PROBE_FILES,
    output:
        out="<run>/metrics/{sae}/texts.json",
    log:
        "<run>/logs/evaluate_texts/{sae}.log",
    benchmark:
        "<run>/benchmarks/evaluate_texts/{sae}.tsv"
    params:
        **stage("evaluate texts", lambda wildcards: {**inference_rules(wildcards), **TEXT_OPTIONS}),


# For the comparison at equal L0.
use rule gpu_stage as calibrate with:
    input:
        lm=LANGUAGE_MODEL,
        sae="<run>/sae/{sae}",
        token_file="<run>/tokens/calibration.safetensors",
    output:
        out=directory("<run>/matched/{sae}"),
    log:
        "<run>/logs/calibrate/{sae}.log",
    benchmark:
        "<run>/benchmarks/calibrate/{sae}.tsv"
    params:
        **stage(
            "calibrate",
            HOOKED | {"l0": config["paper"]["table1_k"], "batch_contexts": config["evaluation"]["batch_contexts"]},
        ),


use rule gpu_stage as evaluate_matched with:
    input:
        lm=LANGUAGE_MODEL,
        sae="<run>/matched/{sae}",
        token_file="<run>/tokens/evaluation.safetensors",
    output:
        out="<run>/metrics/{sae}/matched.json",
        latents_out="<run>/metrics/{sae}/matched.safetensors",
    log:
        "<run>/logs/evaluate_matched/{sae}.log",
    benchmark:
        "<run>/benchmarks/evaluate_matched/{sae}.tsv"
    params:
        **stage(
            "evaluate tokens",
            {
                **HOOKED,
                "inference": ["matched_topk", "matched_threshold", "matched_per_latent"],
                "families": "core",
                "batch_contexts": config["evaluation"]["batch_contexts"],
            },
        ),


# The rest of what tells variants apart there, each SAE read out in the form of its variant's own rule.
use rule gpu_stage as evaluate_matched_texts with:
    input:
        sae="<run>/matched/{sae}",
        residual_folders=RESIDUAL_FOLDERS,
        probe_files=PROBE_FILES,
    output:
        out="<run>/metrics/{sae}/matched_texts.json",
    log:
        "<run>/logs/evaluate_matched_texts/{sae}.log",
    benchmark:
        "<run>/benchmarks/evaluate_matched_texts/{sae}.tsv"
    params:
        **stage("evaluate texts", lambda wildcards: {"inference": rule_at_equal_l0(wildcards), **TEXT_OPTIONS}),


# What the latents of Table 1's SAEs are, for a person to look at.
use rule gpu_stage as browse with:
    input:
        lm=LANGUAGE_MODEL,
        token_file="<run>/tokens/evaluation.safetensors",
        saes=[f"<run>/sae/{sae}" for sae in PLAN.browsed],
        residual_folders=[f"<run>/labelled/residuals/classes/{name}" for name in CLASS_SETS],
    output:
        out=directory("<run>/latents"),
    log:
        "<run>/logs/browse.log",
    benchmark:
        "<run>/benchmarks/browse.tsv"
    threads: THREADS
    params:
        **stage(
            "browse",
            HOOKED | config["browse"] | {"batch_contexts": config["evaluation"]["batch_contexts"], "threads": THREADS},
        ),
        sources=state_of(*HTML),


use rule stage as evaluate_stability with:
    input:
        sae="<run>/matched/{sae}",
        other=lambda wildcards: f"<run>/matched/{PLAN.paired[wildcards.sae]}",
        latent_file="<run>/metrics/{sae}/matched.safetensors",
    output:
        out="<run>/metrics/{sae}/stability.json",
    log:
        "<run>/logs/evaluate_stability/{sae}.log",
    benchmark:
        "<run>/benchmarks/evaluate_stability/{sae}.tsv"
    wildcard_constraints:
        sae=one_of(PLAN.paired),
    params:
        **stage("evaluate stability", lambda wildcards: {"rule": rule_at_equal_l0(wildcards)}),
