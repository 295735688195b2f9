# What a job reads, and what a target asks for, by the tables and the configuration.
LABELLED = (
    "genomic_benchmarks",
    "nucleotide_transformer",
    "chromatin_profile",
    "species",
    "table",
)
INTERVAL_TABLES = "resources/benchmarks/genomic_benchmarks"


def genome_source(wildcards):
    """Return the FASTA of a genome: the file in the table, or where its URL is downloaded to."""
    source = GENOMES[wildcards.genome]["source"]
    downloaded = f"resources/genomes/{wildcards.genome}.fa.gz"
    return downloaded if "://" in source else source


def contig_split(genome):
    """Read `valid=chr1,chr2 test=chr3` of a genome into {role: contigs}; a BED gives none."""
    cell = GENOMES[genome]["intervals"]
    where = f"config/genomes.tsv: {genome}: intervals:"
    split = {}
    for part in cell.split() if "=" in cell else []:
        role, _, contigs = part.partition("=")
        known(role, ("valid", "test", "skip"), where)
        if role in split or not all(contigs.split(",")):
            raise WorkflowError(
                f"{where} {part!r}: a BED, or contigs by split as in "
                "valid=chr1,chr2 test=chr3 skip=chrY, each once, is allowed"
            )
        split[role] = contigs.split(",")
    if split and "valid" not in split:
        raise WorkflowError(f"{where} no contig to validate on; add valid=<contig>")
    return split


SPLIT_BY_CONTIGS = [genome for genome in GENOMES if contig_split(genome)]


def split_options(wildcards):
    """Return the options of `hyenadna intervals` that split a genome."""
    return " ".join(
        f"--{role} {shlex.quote(contig)}"
        for role, contigs in contig_split(wildcards.genome).items()
        for contig in contigs
    )


def genome_intervals(wildcards):
    """Return the BED of a genome's splits."""
    intervals = GENOMES[wildcards.genome]["intervals"]
    if not intervals:
        raise WorkflowError(f"config/genomes.tsv: {wildcards.genome} has no intervals")
    return intervals


def benchmark_data(wildcards):
    """Return the files of a benchmark: those in its folder, or those that are downloaded to it."""
    row = BENCHMARKS[wildcards.benchmark]
    data = Path(row["data"])
    if data.is_relative_to(INTERVAL_TABLES):
        return expand(
            f"{data}/{{split}}/{{label}}.csv.gz",
            split=["train", "test"],
            label=genomes_by_class(row),
        )
    if row["family"] == "biotypes":
        return str(data)
    files = sorted(str(path) for path in data.rglob("[!.]*") if path.is_file())
    if row["data"] and not files:
        raise WorkflowError(
            f"config/benchmarks.tsv: {wildcards.benchmark}: there is no file in {data}; "
            "config/README.md says what belongs there"
        )
    return files if row["data"] else []


def benchmark_genomes(wildcards):
    """Return the genomes that the sequences of a benchmark are cut from."""
    row = BENCHMARKS[wildcards.benchmark]
    files = ["genome.fa", "genome.fa.fai"]
    if row["family"] == "species":
        files += ["intervals.bed"]
    return expand(
        "results/genomes/{genome}/{file}",
        genome=sorted(set(genomes_by_class(row).values())),
        file=files,
    )


def benchmark_row(wildcards):
    """Return what the table says of a benchmark, but for its description."""
    row = BENCHMARKS[wildcards.benchmark]
    return {key: value for key, value in row.items() if key != "description"}


def pretrained(wildcards):
    """Return the weights that downstream work with a model starts from."""
    run = f"{wildcards.model}/{config['genome']}/seed{config['pretraining_seed']}"
    return f"results/pretrain/{run}/model.safetensors"


def starting_weights(wildcards):
    """Return the pretrained weights, or nothing where training starts from scratch."""
    return [] if wildcards.stage == "scratch" else pretrained(wildcards)


def starting_options(wildcards, input):
    """Return the options of `hyenadna finetune` that make the three stages."""
    if wildcards.stage == "scratch":
        return f"--model {input.model}"
    head_only = " --head-only" if wildcards.stage == "probe" else ""
    return f"--weights {Path(input.weights).parent}{head_only}"


def run_options(wildcards):
    """Return the options of `hyenadna finetune` that tell one run of a stage from the others."""
    if wildcards.stage != "paper":
        return f"--seed {wildcards.run.removeprefix('seed')}"
    family = BENCHMARKS[wildcards.benchmark]["family"]
    point = grid_points(family)[int(wildcards.run.removeprefix("point"))]
    values = "".join(f" --set {key}={value}" for key, value in point)
    return f"--seed {config['seeds'][0]} --set select_on=test{values}"


def grid_points(family):
    """Return the points of the grid that the paper's protocol searches: lists of (key, value)."""
    axes = PAPER_GRID.get(family, {})
    pairs = [[(key, value) for value in values] for key, values in axes.items()]
    return list(itertools.product(*pairs)) if pairs else []


def model_shape(wildcards):
    """Return the settings of a model."""
    return f"config/models/{wildcards.model}.yaml"


def pretraining_data(file):
    """Return a function that names a file of each genome that a model is pretrained on."""

    def files(wildcards):
        genomes = weights_of(wildcards.genome)
        return expand("results/genomes/{genome}/{file}", genome=genomes, file=file)

    return files


def genome_options(wildcards):
    """Return the options of `hyenadna pretrain` that name the genomes and their weights."""
    return " ".join(
        f"--tokens results/genomes/{genome}/tokens"
        f" --intervals results/genomes/{genome}/intervals.bed --weight {weight}"
        for genome, weight in weights_of(wildcards.genome).items()
    )


def launcher():
    """Return what starts the processes of pretraining, with a space after it, or nothing."""
    if config["launcher"]:
        return f"{config['launcher']} "
    if config["gpus"] < 2:
        return ""
    return f"torchrun --standalone --nproc-per-node {config['gpus']} --no-python "


def pretraining_recipe(wildcards):
    """Return the recipe of a model."""
    return config["pretraining"].replace("{model}", wildcards.model)


def finetuning_recipe(wildcards):
    """Return the recipe of a benchmark's family."""
    family = BENCHMARKS[wildcards.benchmark]["family"]
    return config["finetuning"].replace("{family}", family)


def values(path_of):
    """Return a function for `params` that reads the YAML file that `path_of(wildcards)` names.

    Its values then decide on a rerun, and its comments do not. A function of `wildcards` alone:
    Snakemake leaves params that are derived from `input` out of that decision.
    """

    def read(wildcards):
        with open(path_of(wildcards)) as file:
            return yaml.safe_load(file)

    return read


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


def context_of(model):
    """Return the most tokens that a network takes; the CNN is made to measure."""
    with open(f"config/models/{model}.yaml") as file:
        return yaml.safe_load(file).get("max_seq_len", math.inf)


def contexts_of(model):
    """Return the contexts that are not too long for a model."""
    return [length for length in config["contexts"] if length <= context_of(model)]


def context_options(wildcards):
    """Return the option of `hyenadna perplexity` that names the contexts."""
    return "--contexts " + ",".join(map(str, contexts_of(wildcards.model)))


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
        raise WorkflowError(
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


def other_weights(wildcards):
    """Return the files of a model of others, or nothing where the hub has them."""
    folder = Path(OTHER_MODELS[wildcards.model])
    return sorted(str(path) for path in folder.glob("[!.]*") if path.is_file())


def embedding_options(wildcards):
    """Return the option of `hyenadna biotypes` that names the network."""
    if wildcards.model in OTHER_MODELS:
        return f"--transformer {shlex.quote(OTHER_MODELS[wildcards.model])}"
    return f"--weights {Path(pretrained(wildcards)).parent}"


def bench_runs():
    """Return what operations were measured to cost by length."""
    lengths = config["bench"]["lengths"]
    return expand(
        "results/bench/{operation}/measurements.tsv",
        operation=[operation for operation in lengths if lengths[operation]],
    )


def bench_options(operation):
    """Return the options of `hyenadna bench` for an operation, or for a network of published size."""
    bench = config["bench"]
    lengths = ",".join(map(str, bench["lengths"][operation]))
    shape = f" --batch {bench['batch']} --channels {bench['channels']}"
    return (
        f"--device {'cuda' if config['gpus'] else 'cpu'} --dtype {bench['dtype']}"
        f"{'' if operation == 'model' else shape}"
        f" --lengths {lengths} --repeats {bench['repeats']}"
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
            raise WorkflowError(
                f"the configuration lists no benchmark of the family {family}"
            )
        return gene_runs() if family == "biotypes" else benchmark_runs(names)

    return runs
