# What comes from the network; nothing is downloaded for the embedded data.


# Before all else: a wrong address shows before any hour of a GPU is spent.
rule download_genome:
    output:
        ensure("resources/genomes/{genome}.fa.gz", non_empty=True),
    log:
        "results/logs/download_genome/{genome}.log",
    benchmark:
        "results/benchmarks/download_genome/{genome}.tsv"
    wildcard_constraints:
        genome=one_of(FROM_NETWORK),
    priority: 2
    localrule: True
    conda:
        "../envs/download.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=720,
    params:
        row=lambda wildcards: file_of(GENOMES[wildcards.genome]),
        options=download_options,
    shell:
        "exec hyenadna download {output}{params.options} > {log} 2>&1"


rule download_file:
    output:
        ensure("resources/{file}", non_empty=True),
    log:
        "results/logs/download_file/{file}.log",
    benchmark:
        "results/benchmarks/download_file/{file}.tsv"
    wildcard_constraints:
        file=one_of(DOWNLOADS),
    priority: 2
    localrule: True
    conda:
        "../envs/download.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=720,
    params:
        row=lambda wildcards: file_of(DOWNLOADS[wildcards.file]),
        options=download_options,
    shell:
        "exec hyenadna download {output}{params.options} > {log} 2>&1"
