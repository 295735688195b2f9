# One page from all results, and its figures and tables as files.


rule report:
    input:
        all_runs(),
    output:
        page=report(
            "results/report.html",
            caption="../report/report.rst",
            category="Answer",
            subcategory="Page",
            labels={"title": "The whole page"},
        ),
        figures=report(
            directory("results/figures"),
            patterns=["{section}/{name}.svg"],
            caption="../report/figures.rst",
            category=place("figures", "category"),
            subcategory=place("figures", "group"),
            labels=title("figures"),
        ),
        tables=report(
            directory("results/tables"),
            patterns=["{section}/{name}.html"],
            caption="../report/tables.rst",
            category=place("tables", "category"),
            subcategory=place("tables", "group"),
            labels=title("tables"),
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
