# What the rules that run a stage inherit: the names of their input and output are the stage's flags. No target itself.
rule stage:
    log:
        "<run>/logs/stage.log",
    conda:
        "../../envs/torch.yaml"
    resources:
        **growing(mem_mb=4000, runtime=30),
    params:
        files=lambda wildcards, input, output: flags({**dict(input.items()), **dict(output.items())}),
    shell:
        "python -m wta_sae {params.stage} {params.files} {params.options} > {log} 2>&1"


use rule stage as gpu_stage with:
    resources:
        **growing(mem_mb=4000, runtime=240),
        gpu=1,
