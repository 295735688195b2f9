# One page from all results.


rule report:
    input:
        all_runs(),
    output:
        page=report(
            "results/report.html",
            caption="../report/report.rst",
            category="Summary",
            labels={"page": "all results"},
        ),
        figures=report(
            directory("results/figures"),
            patterns=["{figure}.svg"],
            caption="../report/figures.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        version=VERSION,
    shell:
        "exec hyenadna report --results results --out {output.page} > {log} 2>&1"
