# What each table, figure and report is made from, by its stage's flags: files, and values of the config.
PUBLISHED = {"published": "paper/published.yaml"}
WHOLE_RUN = {"config": "<run>/config.json", "metrics": "<run>/metrics.csv"} | PUBLISHED
MADE_FROM = {
    "figure1": {
        "saes": [f"<run>/sae/{sae}" for sae in PLAN.sweep],
        "latent_files": [f"<run>/metrics/{sae}/tokens.safetensors" for sae in PLAN.sweep],
    }
    | PUBLISHED,
    "figure2": WHOLE_RUN | {"metrics": "<run>/figure2.csv"},
    "figure3": {"metrics": "<run>/figure3.csv"},
    "figure4": {"metrics": "<run>/figure4.csv"},
    "figure5": {"metrics": "<run>/outlook.csv"},
    "table1": {"metrics": "<run>/table1.csv"} | PUBLISHED,
    "table_matched": {"metrics": "<run>/table_matched.csv"},
    "table_outlook": {"metrics": "<run>/outlook.csv"},
    "table_provenance": {"provenance": "<run>/provenance.json"},
    "table_published": {"metrics": "<run>/metrics.csv"} | PUBLISHED,
    "table_truth": {"metrics": "<run>/figure4.csv"},
    "table_claims": WHOLE_RUN,
    "table2": {"contributions": "paper/contributions.yaml"},
    "truth": WHOLE_RUN,
    "outlook": WHOLE_RUN,
    "numbers": WHOLE_RUN | {"provenance": "<run>/provenance.json"},
    "reproduction": WHOLE_RUN,
    "training_curves": {"saes": expand("<run>/sae/{sae}", sae=[*PLAN.saes, *PLAN.on_synthetic])},
}
TEMPLATES = "paper/templates"
INCLUDED = {
    "numbers": "sentences.j2",
    "outlook": "sentences.j2",
    "reproduction": "sentences.j2",
}  # in their templates; in those of tables, table.tex.j2
AT_K = {"k": config["paper"]["table1_k"]}
AT_RATE = AT_K | {"rate": config["paper"]["table1_rate"]}
AT_EQUAL_L0 = AT_K | {"rate": matched_rate(config)}
OF_CONFIG = {
    "figure3": AT_K,
    "table1": AT_RATE,
    "table_published": AT_RATE,
    "table_matched": AT_EQUAL_L0,
    "table_outlook": AT_EQUAL_L0,
    "figure5": AT_EQUAL_L0,
}


use rule stage as table with:
    input:
        lambda wildcards: f"{TEMPLATES}/{INCLUDED.get(wildcards.made, 'table.tex.j2')}",
        unpack(lambda wildcards: MADE_FROM[wildcards.made]),
        template=f"{TEMPLATES}/{{made}}.tex.j2",
    output:
        out="<run>/{made}.tex",
    log:
        "<run>/logs/{made}.log",
    wildcard_constraints:
        made=one_of(MADE_FROM),
    localrule: True
    params:
        **stage(lambda wildcards: wildcards.made.replace("_", "-"), lambda wildcards: OF_CONFIG.get(wildcards.made, {})),
        sources=lambda wildcards, input: state_of(*(file for file in input if file.startswith("paper/"))),


use rule table as figure with:
    input:
        unpack(lambda wildcards: MADE_FROM[wildcards.made]),
    output:
        pdf="<run>/{made}.pdf",
        png="<run>/{made}.png",
    localrule: True


use rule table as report with:
    input:
        lambda wildcards: f"{TEMPLATES}/{INCLUDED[wildcards.made]}",
        unpack(lambda wildcards: MADE_FROM[wildcards.made]),
        template=f"{TEMPLATES}/{{made}}.md.j2",
    output:
        out="<run>/{made}.md",
    localrule: True


# Pages for the report, of what is recorded as JSON.
SHOWN = {"configuration": "config", "provenance": "provenance"}


use rule stage as show_values with:
    input:
        file=lambda wildcards: f"<run>/{SHOWN[wildcards.page]}.json",
    output:
        out="<run>/{page}.html",
    log:
        "<run>/logs/show_values/{page}.log",
    wildcard_constraints:
        page=one_of(SHOWN),
    localrule: True
    params:
        **stage("show-values", lambda wildcards: {"title": wildcards.page.capitalize()}),
        sources=state_of(*HTML),


use rule stage as paper with:
    input:
        [f"<run>/{file}" for file in ARTIFACTS if file.endswith((".tex", ".pdf")) and file != "paper.pdf"],
        "paper/references.bib",
        main="paper/main.tex",
    output:
        out="<run>/paper.pdf",
    log:
        "<run>/logs/paper.log",
    localrule: True
    conda:
        "../../envs/latex.yaml"
    params:
        **stage("paper", {"inputs": RUN}),
        sources=state_of("paper/main.tex", "paper/references.bib"),


# The artifacts of the run that was asked for last, by the names that stand in the paper.
rule artifact:
    input:
        "<run>/{artifact}",
    output:
        report(
            "results/{artifact}",
            caption="../report/artifact.rst",
            category=lambda wildcards: CATEGORIES[re.match("[a-z]+", wildcards.artifact)[0]],
            labels=lambda wildcards: {"file": wildcards.artifact},
        ),
    log:
        "<run>/logs/artifact/{artifact}.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    shell:
        "(rm -rf {input}.copy && cp -r {input} {input}.copy && mv {input}.copy {output}) > {log} 2>&1"


use rule artifact as latents with:
    input:
        "<run>/latents",
    output:
        report(
            directory("results/latents"),
            patterns=["report/{page}.html"],
            caption="../report/latents.rst",
            category="Latents",
            labels=lambda wildcards: {"SAE": wildcards.page},
        ),
    log:
        "<run>/logs/artifact/latents.log",
    localrule: True


CATEGORIES = {
    "paper": "Paper",
    "table": "Tables",
    "numbers": "Tables",
    "truth": "Tables",
    "outlook": "Tables",
    "figure": "Figures",
    "reproduction": "Reproduction",
    "bundle": "Reproduction",
    "training": "Training curves",
    "configuration": "Configuration",
    "provenance": "Provenance",
}
