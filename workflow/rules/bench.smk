# Time and memory of single operations by length of the sequence, beside other implementations.


rule bench_long_conv:
    output:
        run="results/bench/long_conv/run.json",
        measurements=report(
            "results/bench/long_conv/measurements.tsv",
            caption="../report/bench.rst",
            category="Cost against length",
            subcategory="Measurements",
            labels={"operation": "long convolution"},
        ),
    log:
        "results/logs/bench/long_conv.log",
    benchmark:
        "results/benchmarks/bench_long_conv.tsv"
    conda:
        TRAINING_ENVIRONMENT
    # All cores, so that no other job of this machine runs beside it and spoils its times.
    threads: CORES
    resources:
        mem_mb=doubling(16000),
        runtime=doubling(240, at_most=DAY),
        gpu=GPU,
        cpus_per_task=config["threads"],
    params:
        version=VERSION,
        options=bench_options("long_conv"),
        against=[
            f"--against {shlex.quote(name)}" for name in config["bench"]["against"]
        ],
        out=subpath(output.run, parent=True),
    shell:
        "exec hyenadna bench long-conv {params.options} {params.against} --threads {threads}"
        " --out {params.out} > {log} 2>&1"


rule bench_attention:
    output:
        run="results/bench/attention/run.json",
        measurements=report(
            "results/bench/attention/measurements.tsv",
            caption="../report/bench.rst",
            category="Cost against length",
            subcategory="Measurements",
            labels={"operation": "attention"},
        ),
    log:
        "results/logs/bench/attention.log",
    benchmark:
        "results/benchmarks/bench_attention.tsv"
    conda:
        TRAINING_ENVIRONMENT
    threads: CORES
    resources:
        mem_mb=doubling(16000),
        runtime=doubling(240, at_most=DAY),
        gpu=GPU,
        cpus_per_task=config["threads"],
    params:
        version=VERSION,
        options=bench_options("attention"),
        out=subpath(output.run, parent=True),
    shell:
        "exec hyenadna bench attention {params.options} --threads {threads}"
        " --out {params.out} > {log} 2>&1"


rule bench_model:
    output:
        run="results/bench/model/run.json",
        measurements=report(
            "results/bench/model/measurements.tsv",
            caption="../report/bench.rst",
            category="Cost against length",
            subcategory="Measurements",
            labels={"operation": "a training step"},
        ),
    log:
        "results/logs/bench/model.log",
    benchmark:
        "results/benchmarks/bench_model.tsv"
    conda:
        TRAINING_ENVIRONMENT
    threads: CORES
    resources:
        mem_mb=doubling(32000),
        runtime=doubling(240, at_most=DAY),
        gpu=GPU,
        cpus_per_task=config["threads"],
    params:
        version=VERSION,
        options=bench_options("model"),
        out=subpath(output.run, parent=True),
    shell:
        "exec hyenadna bench model {params.options} --threads {threads}"
        " --out {params.out} > {log} 2>&1"
