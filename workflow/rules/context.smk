# What longer context is worth: a pretrained model on the same bases, with more and more before them.


rule perplexity_by_context:
    input:
        tokens="results/genomes/{genome}/tokens/tokens.u8",
        index="results/genomes/{genome}/tokens/index.json",
        intervals="results/genomes/{genome}/intervals.bed",
        weights=pretrained,
    output:
        settings="results/context/{model}/{genome}/seed{seed}/config.yaml",
        run="results/context/{model}/{genome}/seed{seed}/run.json",
        positions=report(
            "results/context/{model}/{genome}/seed{seed}/positions.tsv",
            caption="../report/context.rst",
            category="Pretraining",
            subcategory="{genome}",
            labels={"table": "bits by position", "model": "{model}", "seed": "{seed}"},
        ),
        metrics=report(
            "results/context/{model}/{genome}/seed{seed}/metrics.tsv",
            caption="../report/context.rst",
            category="Pretraining",
            subcategory="{genome}",
            labels={"table": "by context", "model": "{model}", "seed": "{seed}"},
        ),
    log:
        "results/logs/context/{model}.{genome}.seed{seed}.log",
    benchmark:
        "results/benchmarks/context/{model}.{genome}.seed{seed}.tsv"
    conda:
        TRAINING_ENVIRONMENT
    threads: config["threads"]
    resources:
        mem_mb=doubling(16000),
        runtime=doubling(720, at_most=DAY),
        gpu=GPU,
        cpus_per_task=config["threads"],
    params:
        version=VERSION,
        contexts=context_options,
        tokens=subpath(input.tokens, parent=True),
        weights=subpath(input.weights, parent=True),
        out=subpath(output.run, parent=True),
    shell:
        "exec hyenadna perplexity --weights {params.weights} --tokens {params.tokens}"
        " --intervals {input.intervals} {params.contexts}"
        " --out {params.out} > {log} 2>&1"
