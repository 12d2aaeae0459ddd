rule record_config:
    input:
        code=source_files("record-config"),
    output:
        "<run>/config.json",
    log:
        "<run>/logs/record_config.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        config=json.dumps(config, sort_keys=True),
    shell:
        "python -m wta_sae record-config --config {params.config:q} --out {output} > {log} 2>&1"


rule record_provenance:
    input:
        saes=expand("<run>/sae/{sae}", sae=SAES),
        code=source_files("record-provenance"),
    output:
        "<run>/provenance.json",
    log:
        "<run>/logs/record_provenance.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    shell:
        "python -m wta_sae record-provenance --saes {input.saes} --out {output} > {log} 2>&1"


rule figure1:
    input:
        saes=expand("<run>/sae/{sae}", sae=SWEEP_SAES),
        latents=expand("<run>/metrics/{sae}/geometry.safetensors", sae=SWEEP_SAES),
        published="paper/published.yaml",
        code=source_files("figure1"),
    output:
        pdf="results/figure1.pdf",
        png="results/figure1.png",
    log:
        "<run>/logs/figure1.log",
    benchmark:
        "<run>/benchmarks/figure1.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    shell:
        "python -m wta_sae figure1 --saes {input.saes} --latents {input.latents} --published {input.published}"
        " --pdf {output.pdf} --png {output.png} > {log} 2>&1"


rule figure2:
    input:
        config="<run>/config.json",
        metrics="<run>/figure2.csv",
        published="paper/published.yaml",
        code=source_files("figure2"),
    output:
        pdf="results/figure2.pdf",
        png="results/figure2.png",
    log:
        "<run>/logs/figure2.log",
    benchmark:
        "<run>/benchmarks/figure2.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    shell:
        "python -m wta_sae figure2 --config {input.config} --metrics {input.metrics} --published {input.published}"
        " --pdf {output.pdf} --png {output.png} > {log} 2>&1"


rule figure3:
    input:
        metrics="<run>/figure3.csv",
        code=source_files("figure3"),
    output:
        pdf="results/figure3.pdf",
        png="results/figure3.png",
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
    shell:
        "python -m wta_sae figure3 --metrics {input.metrics} --k {params.k} --pdf {output.pdf} --png {output.png}"
        " > {log} 2>&1"


rule table1:
    input:
        metrics="<run>/table1.csv",
        published="paper/published.yaml",
        code=source_files("table1"),
    output:
        "results/table1.tex",
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
    shell:
        "python -m wta_sae table1 --metrics {input.metrics} --published {input.published} --rate {params.rate} --k {params.k}"
        " --out {output} > {log} 2>&1"


rule table_matched:
    input:
        metrics="<run>/table_matched.csv",
        code=source_files("table-matched"),
    output:
        "results/table_matched.tex",
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
    shell:
        "python -m wta_sae table-matched --metrics {input.metrics} --rate {params.rate} --k {params.k} --out {output}"
        " > {log} 2>&1"


rule table_published:
    input:
        metrics="<run>/metrics.csv",
        published="paper/published.yaml",
        code=source_files("table-published"),
    output:
        "results/table_published.tex",
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
    shell:
        "python -m wta_sae table-published --metrics {input.metrics} --published {input.published}"
        " --rate {params.rate} --k {params.k} --out {output} > {log} 2>&1"


rule table2:
    input:
        contributions="paper/contributions.yaml",
        code=source_files("table2"),
    output:
        "results/table2.tex",
    log:
        "<run>/logs/table2.log",
    benchmark:
        "<run>/benchmarks/table2.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    shell:
        "python -m wta_sae table2 --contributions {input.contributions} --out {output} > {log} 2>&1"


rule numbers:
    input:
        config="<run>/config.json",
        metrics="<run>/metrics.csv",
        provenance="<run>/provenance.json",
        published="paper/published.yaml",
        code=source_files("numbers"),
    output:
        "results/numbers.tex",
    log:
        "<run>/logs/numbers.log",
    benchmark:
        "<run>/benchmarks/numbers.tsv"
    conda:
        "../../envs/torch.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    shell:
        "python -m wta_sae numbers --config {input.config} --metrics {input.metrics} --published {input.published}"
        " --provenance {input.provenance} --out {output} > {log} 2>&1"


rule paper:
    input:
        "results/numbers.tex",
        "results/table1.tex",
        "results/table_matched.tex",
        "results/table_published.tex",
        "results/table2.tex",
        "results/table_claims.tex",
        "results/figure1.pdf",
        "results/figure2.pdf",
        "results/figure3.pdf",
        bibliography="paper/references.bib",
        main="paper/main.tex",
        code=source_files("paper"),
    output:
        "results/paper.pdf",
    log:
        "<run>/logs/paper.log",
    benchmark:
        "<run>/benchmarks/paper.tsv"
    conda:
        "../../envs/latex.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    shell:
        "python -m wta_sae paper --main {input.main} --inputs results --out {output} > {log} 2>&1"
