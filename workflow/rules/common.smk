# Configuration and tables: read once, checked, and looked up by the rules.
import csv
import difflib
import functools
import itertools
import math
import re
import shlex
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from snakemake.logging import logger

from hyenadna import __version__ as VERSION
from hyenadna.workflow import preflight
from hyenadna.errors import InputError


def refuse(message):
    """End with one line; to an exception Snakemake would add where in our code it was raised."""
    logger.error(f"hyenadna: {message}")
    raise SystemExit(1)


def known(name, names, what):
    """Return `name` if it is one of `names`; if not, say in one line what may have been meant."""
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
    refuse(f"{what} {name!r} is unknown; {hint}")


def check_keys(record, rules, where):
    """Check the keys of a mapping, and of those within it, against their schema."""
    for key, value in record.items():
        known(key, rules["properties"], f"{where}: key")
        if isinstance(value, dict) and "properties" in rules["properties"][key]:
            check_keys(value, rules["properties"][key], f"{where}: {key}")


@functools.cache
def read_yaml(path):
    """Return what a YAML file holds; it is read once, since thousands of jobs may ask for it."""
    return yaml.safe_load(Path(path).read_text())


@functools.cache
def schema_path(schema):
    """Return the path of workflow/schemas/<schema>.schema.yaml."""
    return workflow.source_path(f"../schemas/{schema}.schema.yaml")


def check(record, schema, where):
    """Check a mapping against workflow/schemas/<schema>.schema.yaml."""
    rules = read_yaml(schema_path(schema))
    check_keys(record, rules, where)
    for error in Draft202012Validator(rules).iter_errors(record):
        key = "".join(f"{of}: " for of in error.absolute_path if isinstance(of, str))
        refuse(f"{where}: {key}{error.message}")


def read_table(path, schema):
    """Read a table as {first column: row}."""
    table = {}
    with open(path, newline="") as file:
        reader = csv.DictReader(
            file, delimiter="\t", restkey="(beyond the last column)"
        )
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            check(row, schema, where)
            name = row[reader.fieldnames[0]]
            if name in table:
                refuse(f"{where}: {name!r} is there twice; names must be unique")
            table[name] = row
    return table


def read_grid(path):
    """Read what the paper's protocol searches: {family: {key of the recipe: values}}."""
    if not path:
        return {}
    try:
        grid = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError) as error:
        refuse(f"paper_grid: {path}: {error}")
    check(grid, "paper_grid", path)
    return grid


def genomes_by_class(row):
    """Split `human=hg38,worm=ce11` into {class: genome}; a lone genome has the class ''."""
    pairs = [item.rpartition("=") for item in row["genomes"].split(",") if item]
    return {label: genome for label, _, genome in pairs}


def check_benchmark(row, where):
    """Check what the schema of one row cannot: the genomes that it names."""
    classes = genomes_by_class(row)
    for genome in classes.values():
        known(genome, GENOMES, f"{where}: genomes:")
    # Downloaded sequences of GenomicBenchmarks need no genome.
    by_class = row["family"] == "species" or (
        row["family"] == "genomic_benchmarks" and row["genomes"]
    )
    if by_class and ("" in classes or len(classes) < 2):
        refuse(
            f"{where}: genomes: {row['family']} needs class=genome for each of its classes, "
            f"separated by commas, got {row['genomes']!r}"
        )


def check_config(where):
    """Check the names that the configuration uses."""
    check(config, "config", where)
    for key in ("models", "baseline_models", "scratch_models"):
        for model in config[key]:
            known(model, MODELS, f"{where}: {key}:")
    for model in config["embedding_models"]:
        if model in MODELS:
            refuse(
                f"{where}: embedding_models: {model!r} is the name of a file in config/models; "
                "choose another"
            )
    for benchmark in config["benchmarks"]:
        known(benchmark, BENCHMARKS, f"{where}: benchmarks:")
    check_mixtures(where)
    known(config["genome"], [*GENOMES, *config["mixtures"]], f"{where}: genome:")
    for genome in weights_of(config["genome"]):
        if not GENOMES[genome]["intervals"]:
            refuse(f"config/genomes.tsv: {genome}: pretraining needs its intervals")


def check_mixtures(where):
    """Check the genomes of every mixture, and that its name is none of theirs."""
    for mixture, weights in config["mixtures"].items():
        if mixture in GENOMES:
            refuse(
                f"{where}: mixtures: {mixture!r} is the name of a genome; choose another"
            )
        for genome in weights:
            known(genome, GENOMES, f"{where}: mixtures: {mixture}:")


def weights_of(name):
    """Return {genome: weight} of what is pretrained on: a mixture, or one genome."""
    return config["mixtures"].get(name, {name: 1})


def check_here():
    """Refuse a folder in which Snakemake itself could not work, as it takes a page to say so."""
    if workflow.remote_exec or workflow.subprocess_exec:
        return
    try:
        preflight.check_folders([Path(".snakemake/metadata")], room=0)
    except InputError as error:
        refuse(error)


def one_of(names):
    """Return a regular expression that matches the names and nothing else."""
    return "|".join(map(re.escape, names))


check_here()
# All there are; `--report` and others are told of none.
CORES = workflow.resource_settings.cores or 1
# What a job other than pretraining uses.
GPU = min(1, config["gpus"])
# Models of others that embed genes too, by the name that they have in results.
OTHER_MODELS = config["embedding_models"]
MODELS = sorted(path.stem for path in Path("config/models").glob("*.yaml"))
GENOMES = read_table("config/genomes.tsv", "genomes")
BENCHMARKS = read_table("config/benchmarks.tsv", "benchmarks")
for benchmark, row in BENCHMARKS.items():
    check_benchmark(row, f"config/benchmarks.tsv: {benchmark}")
check_config(f"configuration ({', '.join(map(str, workflow.configfiles))})")
PAPER_GRID = read_grid(config["paper_grid"])
