# A classifier for one benchmark, in stages that differ in where they start: `finetune` from the
# pretrained weights, `scratch` from random ones, `probe` with the pretrained ones frozen. A run is
# a seed; in stage `paper`, fine-tuning as published, it is a point of the grid that is searched.


rule finetune:
    input:
        data=benchmark_data,
        genomes=benchmark_genomes,
        weights=starting_weights,
        model=ancient(model_shape),
        recipe=ancient(finetuning_recipe),
    output:
        weights="results/{stage}/{model}/{benchmark}/{run}/model.safetensors",
        shape="results/{stage}/{model}/{benchmark}/{run}/config.json",
        settings="results/{stage}/{model}/{benchmark}/{run}/config.yaml",
        predictions="results/{stage}/{model}/{benchmark}/{run}/predictions.parquet",
        run="results/{stage}/{model}/{benchmark}/{run}/run.json",
        metrics=report(
            "results/{stage}/{model}/{benchmark}/{run}/metrics.tsv",
            caption="../report/finetune.rst",
            category="Runs",
            subcategory="{benchmark}",
            labels={"stage": "{stage}", "model": "{model}", "run": "{run}"},
        ),
    log:
        "results/logs/{stage}/{model}.{benchmark}.{run}.log",
    benchmark:
        "results/benchmarks/{stage}/{model}.{benchmark}.{run}.tsv"
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
        model=values(model_shape),
        recipe=values(finetuning_recipe),
        start=starting_options,
        options=run_options,
        out=subpath(output.weights, parent=True),
    shell:
        "exec hyenadna finetune --task {wildcards.benchmark} --table config/benchmarks.tsv"
        " --genomes results/genomes {params.start} --recipe {input.recipe}"
        " {params.options} --out {params.out} >> {log} 2>&1"
