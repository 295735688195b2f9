# Tables of a chromatin profile: made of peaks, or taken over from hg19.
ruleorder: lift_windows > chromatin_tables


rule chromatin_tables:
    input:
        peaks="resources/benchmarks/{folder}/peaks.tsv",
        splits="resources/benchmarks/{folder}/splits.bed",
        files=peak_files,
        genome="results/genomes/{genome}/genome.fa",
        index="results/genomes/{genome}/genome.fa.fai",
    output:
        expand(
            "resources/benchmarks/{{folder}}/{split}_{{genome}}_coords_targets.csv.gz",
            split=["train", "val", "test"],
        ),
    log:
        "results/logs/chromatin_tables/{folder}.{genome}.log",
    benchmark:
        "results/benchmarks/chromatin_tables/{folder}.{genome}.tsv"
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=doubling(8000),
        runtime=doubling(240, at_most=DAY),
    params:
        version=VERSION,
        keep=f" --keep {config['bins_with']}" if config["bins_with"] else "",
        out=subpath(output[0], parent=True),
    shell:
        "exec hyenadna chromatin-tables {input.peaks} --genome {input.genome}"
        " --splits {input.splits} --assembly {wildcards.genome}{params.keep} --out {params.out} > {log} 2>&1"


rule lift_windows:
    input:
        table="resources/benchmarks/{folder}/{split}_hg19_coords_targets.csv.gz",
        chain="resources/chains/hg19ToHg38.over.chain.gz",
    output:
        "resources/benchmarks/{folder}/{split}_hg38_coords_targets.csv.gz",
    log:
        "results/logs/lift_windows/{folder}.{split}.log",
    benchmark:
        "results/benchmarks/lift_windows/{folder}.{split}.tsv"
    conda:
        "../envs/liftover.yaml"
    threads: 1
    resources:
        mem_mb=doubling(4000),
        runtime=doubling(240, at_most=DAY),
    params:
        version=VERSION,
    shell:
        "exec hyenadna lift {input.table} {output} --chain {input.chain} > {log} 2>&1"
