# In-context learning: a pretrained model answers with the letter of a class, behind a tuned prompt
# or tuned itself, with or without answered examples before the question. One run for each setting.


rule in_context:
    input:
        data=benchmark_data,
        genomes=benchmark_genomes,
        weights=pretrained,
        recipe=ancient(in_context_recipe),
    output:
        predictions="results/in_context/{model}/{benchmark}/{method}.{label}{tuned}.shots{shots}/seed{seed}/predictions.parquet",
        metrics="results/in_context/{model}/{benchmark}/{method}.{label}{tuned}.shots{shots}/seed{seed}/metrics.tsv",
        run="results/in_context/{model}/{benchmark}/{method}.{label}{tuned}.shots{shots}/seed{seed}/run.json",
        table=report(
            "results/in_context/{model}/{benchmark}/{method}.{label}{tuned}.shots{shots}/seed{seed}/in_context.tsv",
            caption="../report/in_context.rst",
            category="In-context learning",
            subcategory="{benchmark}",
            # Not method and number apart: Snakemake's report may make a switch of the method, and
            # fail at a number that the other one does not have.
            labels={
                "setting": "{method}, {tuned} {label}, {shots} shots",
                "model": "{model}",
                "seed": "{seed}",
            },
        ),
    log:
        "results/logs/in_context/{model}.{benchmark}.{method}.{label}{tuned}.shots{shots}.seed{seed}.log",
    benchmark:
        "results/benchmarks/in_context/{model}.{benchmark}.{method}.{label}{tuned}.shots{shots}.seed{seed}.tsv"
    wildcard_constraints:
        method="soft_prompt|few_shot",
        label="tokens|samples",
        tuned="[0-9]+",
        shots="[0-9]+",
    conda:
        TRAINING_ENVIRONMENT
    threads: config["threads"]
    resources:
        mem_mb=doubling(8000),
        runtime=720,
        gpu=GPU,
        cpus_per_task=config["threads"],
    params:
        version=VERSION,
        row=benchmark_row,
        recipe=values(in_context_recipe),
        setting=in_context_options,
        weights=subpath(input.weights, parent=True),
        out=subpath(output.run, parent=True),
    shell:
        "exec hyenadna in-context --task {wildcards.benchmark} --table config/benchmarks.tsv"
        " --genomes results/genomes --weights {params.weights} --recipe {input.recipe}"
        " {params.setting} --out {params.out} --seed {wildcards.seed} >> {log} 2>&1"
