# What a job reads and is told, by the tables and the configuration.
from hyenadna import downloads

# What the settings of in-context learning are called in paths: of each method, what is tuned.
TUNED = {
    "soft_prompt": ("tokens", "prompt_tokens"),
    "few_shot": ("samples", "tuning_samples"),
}
# What comes from the network, by its path below resources/; genomes are in their own table.
DOWNLOADS = read_table("config/downloads.tsv", "downloads")
FROM_NETWORK = [name for name, row in GENOMES.items() if "://" in row["source"]]


def genome_source(wildcards):
    """Return the FASTA of a genome: the file in the table, or where its URL is downloaded to."""
    if wildcards.genome in FROM_NETWORK:
        return f"resources/genomes/{wildcards.genome}.fa.gz"
    source = GENOMES[wildcards.genome]["source"]
    if not Path(source).is_file():
        refuse(
            f"config/genomes.tsv: {wildcards.genome}: there is no file {source}; give a URL, or the "
            "path of a FASTA from the folder of the run"
        )
    return source


def file_of(row):
    """Return what tells that a row is for another file than before: not from where else it is."""
    return [row.get("url", row.get("source")), row["sha256"]]


def download_options(wildcards, output):
    """Return the options of `hyenadna download` that the configuration asks for.

    A function of `output`, so that it does not decide on a rerun: a file stays the same, wherever
    it is fetched from.
    """
    mirror = f" --mirror {shlex.quote(config['mirror'])}" if config["mirror"] else ""
    return f"{mirror}{' --offline' if config['offline'] else ''}"


@functools.cache
def sources():
    """Return what comes from the network, of both tables, by its path below resources/."""
    return downloads.read_sources(
        Path("config/downloads.tsv"), Path("config/genomes.tsv")
    )


def check_downloads(jobs):
    """Refuse a run that would fetch files in vain, before it starts."""
    files = [
        Path(file)
        for job in jobs
        if job.rule.name in ("download_genome", "download_file")
        for file in job.output
    ]
    wishes = downloads.Wishes(mirror=config["mirror"], offline=config["offline"])
    downloads.check_available(
        [sources().of(file) for file in sorted(files)],
        downloads.Downloader(
            downloads.Recorded(Path("config/downloads.lock.tsv")), wishes
        ),
    )


def contig_split(genome):
    """Read `valid=chr1,chr2 test=chr3` of a genome into {role: contigs}; a BED gives none."""
    cell = GENOMES[genome]["intervals"]
    where = f"config/genomes.tsv: {genome}: intervals:"
    split = {}
    for part in cell.split() if "=" in cell else []:
        role, _, contigs = part.partition("=")
        known(role, ("valid", "test", "skip"), where)
        if role in split or not all(contigs.split(",")):
            refuse(
                f"{where} {part!r}: a BED, or contigs by split as in "
                "valid=chr1,chr2 test=chr3 skip=chrY, each once, is allowed"
            )
        split[role] = contigs.split(",")
    if split and "valid" not in split:
        refuse(f"{where} no contig to validate on; add valid=<contig>")
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
        refuse(f"config/genomes.tsv: {wildcards.genome} has no intervals")
    return intervals


def benchmark_data(wildcards):
    """Return the files of a benchmark."""
    return data_of(wildcards.benchmark)


@functools.cache
def data_of(benchmark):
    """Return the files of a benchmark: those in its folder, or those that are downloaded to it."""
    row = BENCHMARKS[benchmark]
    if not row["data"]:
        return []
    data = Path(row["data"])
    if row["family"] == "biotypes" or data.is_file():
        return str(data)
    if row["family"] == "chromatin_profile" and tables_to_make(row):
        return tables_to_make(row)
    files = sorted(str(path) for path in data.rglob("[!.]*") if path.is_file())
    fetched = files_below(data)
    # What somebody has put there themselves is taken in place of what would be fetched.
    if set(files) <= set(fetched):
        files = fetched
    if not files:
        refuse(
            f"config/benchmarks.tsv: {benchmark}: there is no file in {data}; "
            "config/README.md says what belongs there"
        )
    return files


def files_below(folder):
    """Return the files of a folder that come from the network."""
    files = (Path("resources", file) for file in DOWNLOADS)
    return sorted(str(file) for file in files if file.is_relative_to(folder))


def tables_to_make(row):
    """Return the tables of a chromatin profile that are made of peaks, or lifted from hg19."""
    data = Path(row["data"])
    if (data / "peaks.tsv").is_file():
        splits = ["train", "val", "test"]
    elif row["genomes"] == "hg38" and not any(data.glob("*_hg38_coords_targets.csv*")):
        lifted = data.glob("*_hg19_coords_targets.csv.gz")
        splits = sorted(path.name.partition("_")[0] for path in lifted)
    else:
        splits = []
    name = f"{data}/{{split}}_{row['genomes']}_coords_targets.csv.gz"
    return expand(name, split=splits)


def peak_files(wildcards):
    """Return the files of peaks that lie beside the list of a benchmark's targets."""
    folder = Path("resources/benchmarks", wildcards.folder)
    return sorted(
        str(path)
        for pattern in ("*.narrowPeak*", "*.bed.gz")
        for path in folder.glob(pattern)
    )


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
        return read_yaml(path_of(wildcards))

    return read


def context_of(model):
    """Return the most tokens that a network takes; the CNN is made to measure."""
    return read_yaml(f"config/models/{model}.yaml").get("max_seq_len", math.inf)


def contexts_of(model):
    """Return the contexts that are not too long for a model."""
    return [length for length in config["contexts"] if length <= context_of(model)]


def context_options(wildcards):
    """Return the option of `hyenadna perplexity` that names the contexts."""
    return "--contexts " + ",".join(map(str, contexts_of(wildcards.model)))


def other_weights(wildcards):
    """Return the files of a model of others, or nothing where the hub has them."""
    folder = Path(OTHER_MODELS[wildcards.model])
    return sorted(str(path) for path in folder.glob("[!.]*") if path.is_file())


def embedding_options(wildcards):
    """Return the option of `hyenadna biotypes` that names the network."""
    if wildcards.model in OTHER_MODELS:
        return f"--transformer {shlex.quote(OTHER_MODELS[wildcards.model])}"
    return f"--weights {Path(pretrained(wildcards)).parent}"


def in_context_recipe(wildcards):
    """Return the recipe of a method."""
    return config["in_context"]["recipe"].replace("{method}", wildcards.method)


def in_context_options(wildcards):
    """Return the options of `hyenadna in-context` that make a setting of a method's recipe."""
    _, key = TUNED[wildcards.method]
    return f"--set {key}={wildcards.tuned} --set shots={wildcards.shots}"


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
