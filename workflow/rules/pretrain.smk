# A model learns a genome. Its checkpoints lie beside the outputs and are none: a job that was
# stopped keeps them, and the same command resumes from the last one.


rule pretrain:
    input:
        tokens=pretraining_data("tokens/tokens.u8"),
        soft_mask=pretraining_data("tokens/soft_mask.u1"),
        index=pretraining_data("tokens/index.json"),
        intervals=pretraining_data("intervals.bed"),
        model=ancient(model_shape),
        recipe=ancient(pretraining_recipe),
    output:
        weights="results/pretrain/{model}/{genome}/seed{seed}/model.safetensors",
        shape="results/pretrain/{model}/{genome}/seed{seed}/config.json",
        settings="results/pretrain/{model}/{genome}/seed{seed}/config.yaml",
        run="results/pretrain/{model}/{genome}/seed{seed}/run.json",
        metrics=report(
            "results/pretrain/{model}/{genome}/seed{seed}/metrics.tsv",
            caption="../report/pretrain.rst",
            category="Pretraining",
            subcategory="{genome}",
            labels={"table": "by step", "model": "{model}", "seed": "{seed}"},
        ),
    log:
        "results/logs/pretrain/{model}.{genome}.seed{seed}.log",
    benchmark:
        "results/benchmarks/pretrain/{model}.{genome}.seed{seed}.tsv"
    # Most else waits for it, so it and what it waits for go first.
    priority: 1
    # A job that was stopped has saved, and goes on. Within a job of a cluster Snakemake reads this
    # again, and would start over there what the one that submitted it is to submit again.
    retries: 0 if workflow.remote_exec else config["retries"]
    conda:
        TRAINING_ENVIRONMENT
    threads: config["threads"]
    resources:
        mem_mb=16000,
        runtime=DAY,
        gpu=config["gpus"],
        # One machine has them all; torchrun reaches no other.
        nodes=1,
        # Under SLURM, `threads` is capped at the cores of the machine that submits.
        cpus_per_task=config["threads"],
    params:
        version=VERSION,
        model=values(model_shape),
        recipe=values(pretraining_recipe),
        genomes=genome_options,
        launcher=launcher(),
        context=config["context_parallel"],
        out=subpath(output.weights, parent=True),
    shell:
        "exec {params.launcher}hyenadna pretrain --model {input.model}"
        " --recipe {input.recipe} {params.genomes} --context-parallel {params.context}"
        " --out {params.out} --seed {wildcards.seed} >> {log} 2>&1"
