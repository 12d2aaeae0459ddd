rule record_config:
    output:
        "<run>/config.json",
    log:
        "<run>/logs/record_config.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        config=lambda wildcards: json.dumps(config, sort_keys=True),
        code=code_sha256("record-config"),
    shell:
        "python -m wta_sae record-config --values {params.config:q} --out {output} > {log} 2>&1"


rule record_provenance:
    input:
        saes=expand("<run>/sae/{sae}", sae=SAES),
    output:
        "<run>/provenance.json",
    log:
        "<run>/logs/record_provenance.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        code=code_sha256("record-provenance"),
    shell:
        "python -m wta_sae record-provenance --saes {input.saes} --out {output} > {log} 2>&1"


rule figure1:
    input:
        saes=expand("<run>/sae/{sae}", sae=SWEEP_SAES),
        latents=expand("<run>/metrics/{sae}/geometry.safetensors", sae=SWEEP_SAES),
        published="paper/published.yaml",
    output:
        pdf="<run>/figure1.pdf",
        png="<run>/figure1.png",
    log:
        "<run>/logs/figure1.log",
    benchmark:
        "<run>/benchmarks/figure1.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code_sha256("figure1"),
        published=state_of("paper/published.yaml"),
    shell:
        "python -m wta_sae figure1 --saes {input.saes} --geometry {input.latents} --published {input.published}"
        " --pdf {output.pdf} --png {output.png} > {log} 2>&1"


rule figure2:
    input:
        config="<run>/config.json",
        metrics="<run>/figure2.csv",
        published="paper/published.yaml",
    output:
        pdf="<run>/figure2.pdf",
        png="<run>/figure2.png",
    log:
        "<run>/logs/figure2.log",
    benchmark:
        "<run>/benchmarks/figure2.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code_sha256("figure2"),
        published=state_of("paper/published.yaml"),
    shell:
        "python -m wta_sae figure2 --config {input.config} --metrics {input.metrics} --published {input.published}"
        " --pdf {output.pdf} --png {output.png} > {log} 2>&1"


rule figure3:
    input:
        metrics="<run>/figure3.csv",
    output:
        pdf="<run>/figure3.pdf",
        png="<run>/figure3.png",
    log:
        "<run>/logs/figure3.log",
    benchmark:
        "<run>/benchmarks/figure3.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        k=config["paper"]["table1_k"],
        code=code_sha256("figure3"),
    shell:
        "python -m wta_sae figure3 --metrics {input.metrics} --k {params.k} --pdf {output.pdf} --png {output.png}"
        " > {log} 2>&1"


rule table1:
    input:
        metrics="<run>/table1.csv",
        published="paper/published.yaml",
    output:
        "<run>/table1.tex",
    log:
        "<run>/logs/table1.log",
    benchmark:
        "<run>/benchmarks/table1.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        rate=config["paper"]["table1_rate"],
        k=config["paper"]["table1_k"],
        code=code_sha256("table1"),
        published=state_of("paper/published.yaml"),
    shell:
        "python -m wta_sae table1 --metrics {input.metrics} --published {input.published} --rate {params.rate} --k {params.k}"
        " --out {output} > {log} 2>&1"


rule table_matched:
    input:
        metrics="<run>/table_matched.csv",
    output:
        "<run>/table_matched.tex",
    log:
        "<run>/logs/table_matched.log",
    benchmark:
        "<run>/benchmarks/table_matched.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        rate=config["paper"]["table1_k"] / config["training"]["latents"],
        k=config["paper"]["table1_k"],
        code=code_sha256("table-matched"),
    shell:
        "python -m wta_sae table-matched --metrics {input.metrics} --rate {params.rate} --k {params.k} --out {output}"
        " > {log} 2>&1"


rule table_published:
    input:
        metrics="<run>/metrics.csv",
        published="paper/published.yaml",
    output:
        "<run>/table_published.tex",
    log:
        "<run>/logs/table_published.log",
    benchmark:
        "<run>/benchmarks/table_published.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        rate=config["paper"]["table1_rate"],
        k=config["paper"]["table1_k"],
        code=code_sha256("table-published"),
        published=state_of("paper/published.yaml"),
    shell:
        "python -m wta_sae table-published --metrics {input.metrics} --published {input.published}"
        " --rate {params.rate} --k {params.k} --out {output} > {log} 2>&1"


rule table2:
    input:
        contributions="paper/contributions.yaml",
    output:
        "<run>/table2.tex",
    log:
        "<run>/logs/table2.log",
    benchmark:
        "<run>/benchmarks/table2.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code_sha256("table2"),
        contributions=state_of("paper/contributions.yaml"),
    shell:
        "python -m wta_sae table2 --contributions {input.contributions} --out {output} > {log} 2>&1"


rule numbers:
    input:
        config="<run>/config.json",
        metrics="<run>/metrics.csv",
        provenance="<run>/provenance.json",
        published="paper/published.yaml",
    output:
        "<run>/numbers.tex",
    log:
        "<run>/logs/numbers.log",
    benchmark:
        "<run>/benchmarks/numbers.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code_sha256("numbers"),
        published=state_of("paper/published.yaml"),
    shell:
        "python -m wta_sae numbers --config {input.config} --metrics {input.metrics} --published {input.published}"
        " --provenance {input.provenance} --out {output} > {log} 2>&1"


rule paper:
    input:
        "<run>/numbers.tex",
        "<run>/table1.tex",
        "<run>/table_matched.tex",
        "<run>/table_published.tex",
        "<run>/table2.tex",
        "<run>/table_claims.tex",
        "<run>/figure1.pdf",
        "<run>/figure2.pdf",
        "<run>/figure3.pdf",
        bibliography="paper/references.bib",
        main="paper/main.tex",
    output:
        "<run>/paper.pdf",
    log:
        "<run>/logs/paper.log",
    benchmark:
        "<run>/benchmarks/paper.tsv"
    conda:
        "../../envs/latex.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        inputs=subpath(output[0], parent=True),
        code=code_sha256("paper"),
        sources=state_of("paper/main.tex", "paper/references.bib"),
    shell:
        "python -m wta_sae paper --main {input.main} --inputs {params.inputs} --out {output} > {log} 2>&1"


# The artifacts of the run that was asked for last, by the names that stand in the paper.
rule artifact:
    input:
        "<run>/{artifact}",
    output:
        "results/{artifact}",
    log:
        "<run>/logs/artifact/{artifact}.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    shell:
        "cp {input} {input}.copy > {log} 2>&1 && mv {input}.copy {output}"
