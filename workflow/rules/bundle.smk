# All that a finished run's tables, figures, pages and PDF are made of, and what a reviewer may ask of it: one file, to pass on.
# Where the config names one, it takes the place of the rules that make these.
PER_LATENT = [f"<run>/metrics/{sae}/tokens.safetensors" for sae in PLAN.per_latent["tokens"]]
PER_LATENT += [f"<run>/metrics/{sae}/matched.safetensors" for sae in PLAN.per_latent["matched"]]
BUNDLED_FILES = ["<run>/config.json", "<run>/provenance.json", *expand("<run>/{name}.csv", name=PLAN.collections), *PER_LATENT]
BUNDLED_FOLDERS = ["<run>/latents", *expand("<run>/sae/{sae}", sae=[*PLAN.saes, *PLAN.foreign, *PLAN.on_synthetic])]


if BUNDLE:

    use rule stage as unbundle with:
        input:
            bundle=BUNDLE,
        output:
            BUNDLED_FILES,
            [directory(folder) for folder in BUNDLED_FOLDERS],
        log:
            "<run>/logs/unbundle.log",
        localrule: True
        params:
            **stage("unbundle", {"out": RUN}),

else:

    use rule stage as bundle with:
        input:
            config="<run>/config.json",
            parts=BUNDLED_FILES + BUNDLED_FOLDERS,
        output:
            out="<run>/bundle.zip",
        log:
            "<run>/logs/bundle.log",
        localrule: True
        params:
            **stage("bundle"),
