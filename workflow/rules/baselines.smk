# What simple classifiers make of a benchmark, to stand beside every accuracy.


rule baselines:
    input:
        data=benchmark_data,
        genomes=benchmark_genomes,
    output:
        run="results/baselines/{benchmark}/run.json",
        leaks="results/baselines/{benchmark}/leaks.tsv",
        predictions="results/baselines/{benchmark}/predictions.parquet",
        metrics=report(
            "results/baselines/{benchmark}/metrics.tsv",
            caption="../report/baselines.rst",
            category="Runs",
            subcategory="{benchmark}",
            labels={"stage": "baselines", "model": "none", "run": "none"},
        ),
    log:
        "results/logs/baselines/{benchmark}.log",
    benchmark:
        "results/benchmarks/baselines/{benchmark}.tsv"
    conda:
        TRAINING_ENVIRONMENT
    threads: 1
    resources:
        mem_mb=doubling(8000),
        runtime=doubling(240, at_most=DAY),
    params:
        version=VERSION,
        row=benchmark_row,
        out=subpath(output.run, parent=True),
    shell:
        "exec hyenadna baselines --task {wildcards.benchmark} --table config/benchmarks.tsv"
        " --genomes results/genomes --out {params.out} > {log} 2>&1"
