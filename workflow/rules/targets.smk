# What a target asks for: the files that the configuration wants.
LABELLED = (
    "genomic_benchmarks",
    "nucleotide_transformer",
    "chromatin_profile",
    "species",
    "table",
)


def pretrained_models():
    """Return the models to pretrain, those that only serve as baselines among them."""
    return config["models"] + config["baseline_models"]


def pretraining_runs():
    """Return the metrics of every pretraining."""
    return expand(
        "results/pretrain/{model}/{genome}/seed{seed}/metrics.tsv",
        model=pretrained_models(),
        genome=config["genome"],
        seed=config["pretraining_seed"],
    )


def context_runs():
    """Return the metrics by context of the pretrained models, on each genome that they have read."""
    return expand(
        "results/context/{model}/{genome}/seed{seed}/metrics.tsv",
        model=[model for model in pretrained_models() if contexts_of(model)],
        genome=weights_of(config["genome"]),
        seed=config["pretraining_seed"],
    )


def benchmarks_of(family):
    """Return the benchmarks of a family that the configuration asks for."""
    return [
        name for name in config["benchmarks"] if BENCHMARKS[name]["family"] == family
    ]


def fitting(models, benchmark):
    """Return the models that take the longest items of a benchmark."""
    length = int(BENCHMARKS[benchmark]["length"] or 0)
    return [model for model in models if context_of(model) >= length]


def benchmark_runs(benchmarks):
    """Return the metrics of every run and of the baselines on some benchmarks."""
    return [path for benchmark in benchmarks for path in runs_on(benchmark)]


def runs_on(benchmark):
    """Return the metrics of every run and of the baselines on a benchmark."""
    models = fitting(config["models"], benchmark)
    if not models:
        refuse(
            f"config/benchmarks.tsv: {benchmark}: items have {BENCHMARKS[benchmark]['length']} "
            f"nucleotides, more than any of the models takes: {', '.join(config['models'])}; "
            "add one of longer context, or leave the benchmark out"
        )
    seeds = [f"seed{seed}" for seed in config["seeds"]]
    points = range(len(grid_points(BENCHMARKS[benchmark]["family"])))
    stages = [
        (config["stages"], models, seeds),
        ("scratch", fitting(config["scratch_models"], benchmark), seeds),
        ("paper", models, [f"point{point}" for point in points]),
    ]
    return [f"results/baselines/{benchmark}/metrics.tsv"] + [
        path
        for stage, model, run in stages
        for path in expand(
            "results/{stage}/{model}/{benchmark}/{run}/metrics.tsv",
            stage=stage,
            model=model,
            benchmark=benchmark,
            run=run,
        )
    ]


def gene_runs():
    """Return the metrics of every map of genes by biotype; its spread is that over folds."""
    return expand(
        "results/biotypes/{model}/{benchmark}/seed{seed}/metrics.tsv",
        model=config["models"] + list(OTHER_MODELS),
        benchmark=benchmarks_of("biotypes"),
        seed=config["seeds"][0],
    )


def in_context_settings():
    """Return the names of the settings that the configuration asks for."""
    settings = config["in_context"]["settings"]
    return [
        f"{method}.{label}{tuned}.shots{shots}"
        for method, (label, key) in TUNED.items()
        for tuned in settings.get(method, {}).get(key, [])
        for shots in settings[method]["shots"]
    ]


def in_context_runs():
    """Return the tables of every setting that the configuration asks for."""
    for benchmark in config["in_context"]["benchmarks"]:
        known(benchmark, BENCHMARKS, "in_context: benchmarks:")
    for model in config["in_context"]["models"]:
        known(model, config["models"], "in_context: models:")
    return expand(
        "results/in_context/{model}/{benchmark}/{setting}/seed{seed}/in_context.tsv",
        model=config["in_context"]["models"],
        benchmark=config["in_context"]["benchmarks"],
        setting=in_context_settings(),
        seed=config["seeds"],
    )


def bench_runs():
    """Return what operations were measured to cost by length."""
    lengths = config["bench"]["lengths"]
    return expand(
        "results/bench/{operation}/measurements.tsv",
        operation=[operation for operation in lengths if lengths[operation]],
    )


def all_runs():
    """Return the metrics of all that the configuration asks for."""
    labelled = [name for family in LABELLED for name in benchmarks_of(family)]
    return (
        pretraining_runs()
        + context_runs()
        + benchmark_runs(labelled)
        + gene_runs()
        + in_context_runs()
        + bench_runs()
    )


def target(family):
    """Return the input function of a family's target; asking for what is not configured fails."""

    def runs(wildcards):
        names = benchmarks_of(family)
        if not names:
            refuse(f"the configuration lists no benchmark of the family {family}")
        return gene_runs() if family == "biotypes" else benchmark_runs(names)

    return runs
