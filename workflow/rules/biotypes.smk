# Genes embedded by a pretrained model: maps by biotype, and how well the biotype can be told.


rule map_biotypes:
    input:
        data=benchmark_data,
        genomes=benchmark_genomes,
        weights=pretrained,
    output:
        embeddings="results/biotypes/{model}/{benchmark}/seed{seed}/embeddings.parquet",
        predictions="results/biotypes/{model}/{benchmark}/seed{seed}/predictions.parquet",
        umap=report(
            "results/biotypes/{model}/{benchmark}/seed{seed}/umap.tsv",
            caption="../report/biotypes.rst",
            category="Genes by biotype",
            subcategory="{benchmark}",
            labels={"table": "map", "model": "{model}", "seed": "{seed}"},
        ),
        tsne="results/biotypes/{model}/{benchmark}/seed{seed}/tsne.tsv",
        run="results/biotypes/{model}/{benchmark}/seed{seed}/run.json",
        metrics=report(
            "results/biotypes/{model}/{benchmark}/seed{seed}/metrics.tsv",
            caption="../report/biotypes.rst",
            category="Genes by biotype",
            subcategory="{benchmark}",
            labels={"table": "metrics", "model": "{model}", "seed": "{seed}"},
        ),
    log:
        "results/logs/biotypes/{model}.{benchmark}.seed{seed}.log",
    benchmark:
        "results/benchmarks/biotypes/{model}.{benchmark}.seed{seed}.tsv"
    conda:
        TRAINING_ENVIRONMENT
    threads: config["threads"]
    resources:
        mem_mb=doubling(8000),
        runtime=doubling(240, at_most=DAY),
        gpu=GPU,
        cpus_per_task=config["threads"],
    params:
        version=VERSION,
        row=benchmark_row,
        network=embedding_options,
        out=subpath(output.run, parent=True),
    shell:
        "exec hyenadna biotypes --task {wildcards.benchmark} --table config/benchmarks.tsv"
        " --genomes results/genomes {params.network}"
        " --out {params.out} --seed {wildcards.seed} > {log} 2>&1"


# The same by a model of others; its name stands in results where that of ours would.
use rule map_biotypes as map_biotypes_by_others with:
    input:
        data=benchmark_data,
        genomes=benchmark_genomes,
        weights=other_weights,
    wildcard_constraints:
        model=one_of(OTHER_MODELS or ["-"]),
    conda:
        TRANSFORMERS_ENVIRONMENT
    resources:
        mem_mb=doubling(24_000),
        runtime=DAY,
        gpu=GPU,
        cpus_per_task=config["threads"],
