# A genome becomes an indexed FASTA, its intervals and its token cache.


rule prepare_genome:
    input:
        genome_source,
    output:
        fasta="results/genomes/{genome}/genome.fa",
        index="results/genomes/{genome}/genome.fa.fai",
    log:
        "results/logs/prepare_genome/{genome}.log",
    # With --cache, folders of runs share it, and its tokens; what may be shared has no `benchmark`.
    cache: "omit-software"
    priority: 1
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        version=VERSION,
        contigs=lambda wildcards: GENOMES[wildcards.genome].get("contigs") or "all",
    shell:
        "exec hyenadna genome {input} {output.fasta} --contigs {params.contigs}"
        " > {log} 2>&1"


rule split_by_contigs:
    input:
        fasta="results/genomes/{genome}/genome.fa",
        index="results/genomes/{genome}/genome.fa.fai",
    output:
        "results/genomes/{genome}/intervals.bed",
    log:
        "results/logs/split_by_contigs/{genome}.log",
    benchmark:
        "results/benchmarks/split_by_contigs/{genome}.tsv"
    wildcard_constraints:
        genome=one_of(SPLIT_BY_CONTIGS),
    priority: 1
    localrule: True
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        version=VERSION,
        splits=split_options,
    shell:
        "exec hyenadna intervals {input.fasta} {output} {params.splits} > {log} 2>&1"


rule copy_intervals:
    input:
        genome_intervals,
    output:
        "results/genomes/{genome}/intervals.bed",
    log:
        "results/logs/copy_intervals/{genome}.log",
    benchmark:
        "results/benchmarks/copy_intervals/{genome}.tsv"
    wildcard_constraints:
        genome=one_of(name for name in GENOMES if name not in SPLIT_BY_CONTIGS),
    priority: 1
    localrule: True
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        version=VERSION,
    shell:
        "cp {input} {output} > {log} 2>&1"


rule tokenize:
    input:
        fasta="results/genomes/{genome}/genome.fa",
        index="results/genomes/{genome}/genome.fa.fai",
    output:
        tokens="results/genomes/{genome}/tokens/tokens.u8",
        soft_mask="results/genomes/{genome}/tokens/soft_mask.u1",
        index="results/genomes/{genome}/tokens/index.json",
    log:
        "results/logs/tokenize/{genome}.log",
    cache: "omit-software"
    priority: 1
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        version=VERSION,
        out=subpath(output.tokens, parent=True),
    shell:
        "exec hyenadna tokenize {input.fasta} {params.out} > {log} 2>&1"
