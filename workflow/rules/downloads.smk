# What comes from the network; nothing is downloaded for the embedded data.


rule download_genome:
    output:
        ensure("resources/genomes/{genome}.fa.gz", non_empty=True),
    log:
        "results/logs/download_genome/{genome}.log",
    benchmark:
        "results/benchmarks/download_genome/{genome}.tsv"
    retries: 3
    localrule: True
    conda:
        "../envs/download.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=120,
    params:
        url=lambda wildcards: GENOMES[wildcards.genome]["source"],
        sha256=lambda wildcards: GENOMES[wildcards.genome]["sha256"],
    shell:
        "curl --fail --location --retry 3 --output {output}.part {params.url} 2> {log} && "
        "if [ -n '{params.sha256}' ]; then "
        "echo '{params.sha256}  {output}.part' | sha256sum --check >> {log} 2>&1; fi && "
        "mv {output}.part {output}"


rule download_interval_table:
    output:
        ensure(f"{INTERVAL_TABLES}/{{name}}/{{split}}/{{label}}.csv.gz", non_empty=True),
    log:
        "results/logs/download_interval_table/{name}.{split}.{label}.log",
    benchmark:
        "results/benchmarks/download_interval_table/{name}.{split}.{label}.tsv"
    retries: 3
    localrule: True
    conda:
        "../envs/download.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=120,
    params:
        repository="https://raw.githubusercontent.com/ML-Bioinfo-CEITEC/genomic_benchmarks",
        commit="605d8539830e16c85abe7826990958303ffc5e1c",
        path="datasets/{name}/{split}/{label}.csv.gz",
    shell:
        "curl --fail --location --retry 3 --output {output}.part "
        "{params.repository}/{params.commit}/{params.path} 2> {log} && "
        "mv {output}.part {output}"


rule download_genes:
    output:
        ensure(
            "resources/benchmarks/gencode.v{release}.annotation.gtf.gz", non_empty=True
        ),
    log:
        "results/logs/download_genes/gencode.v{release}.log",
    benchmark:
        "results/benchmarks/download_genes/gencode.v{release}.tsv"
    retries: 3
    localrule: True
    conda:
        "../envs/download.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=120,
    params:
        url="https://ftp.ebi.ac.uk/pub/databases/gencode/Gencode_human",
        path="release_{release}/gencode.v{release}.annotation.gtf.gz",
    shell:
        "curl --fail --location --retry 3 --output {output}.part "
        "{params.url}/{params.path} 2> {log} && "
        "mv {output}.part {output}"


rule download_chain:
    output:
        ensure("resources/chains/{chain}.over.chain.gz", non_empty=True),
    log:
        "results/logs/download_chain/{chain}.log",
    benchmark:
        "results/benchmarks/download_chain/{chain}.tsv"
    retries: 3
    localrule: True
    conda:
        "../envs/download.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=30,
    params:
        url="https://hgdownload.soe.ucsc.edu/goldenPath/hg19/liftOver",
    shell:
        "curl --fail --location --retry 3 --output {output}.part "
        "{params.url}/{wildcards.chain}.over.chain.gz 2> {log} && "
        "mv {output}.part {output}"
