# A classifier for one benchmark, in three stages that differ in where they start: `finetune` from
# the pretrained weights, `scratch` from random ones, `probe` with the pretrained ones frozen.


rule finetune:
    input:
        data=benchmark_data,
        genomes=benchmark_genomes,
        weights=starting_weights,
        model=ancient(model_shape),
        recipe=ancient(finetuning_recipe),
    output:
        weights="results/{stage}/{model}/{benchmark}/seed{seed}/model.safetensors",
        shape="results/{stage}/{model}/{benchmark}/seed{seed}/config.json",
        settings="results/{stage}/{model}/{benchmark}/seed{seed}/config.yaml",
        predictions="results/{stage}/{model}/{benchmark}/seed{seed}/predictions.parquet",
        run="results/{stage}/{model}/{benchmark}/seed{seed}/run.json",
        metrics=report(
            "results/{stage}/{model}/{benchmark}/seed{seed}/metrics.tsv",
            caption="../report/finetune.rst",
            category="Benchmarks",
            subcategory="{benchmark}",
            labels={"stage": "{stage}", "model": "{model}", "seed": "{seed}"},
        ),
    log:
        "results/logs/{stage}/{model}.{benchmark}.seed{seed}.log",
    benchmark:
        "results/benchmarks/{stage}/{model}.{benchmark}.seed{seed}.tsv"
    conda:
        "../envs/hyenadna.yaml"
    threads: config["threads"]
    resources:
        mem_mb=8000,
        runtime=720,
        gpu=GPU,
        cpus_per_task=config["threads"],
    params:
        version=VERSION,
        row=benchmark_row,
        model=values(model_shape),
        recipe=values(finetuning_recipe),
        start=starting_options,
        out=subpath(output.weights, parent=True),
    shell:
        "exec hyenadna finetune --task {wildcards.benchmark} --table config/benchmarks.tsv"
        " --genomes results/genomes {params.start} --recipe {input.recipe}"
        " --out {params.out} --seed {wildcards.seed} >> {log} 2>&1"
