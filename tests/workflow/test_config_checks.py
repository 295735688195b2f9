"""Mistakes in the configuration and the tables are named in one clear line."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Snakemake = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("modles=[tiny-1k]", "key 'modles' is unknown; did you mean 'models'?"),
        ("models=[tiny-2k]", "models: 'tiny-2k' is unknown; did you mean 'tiny-1k'?"),
        ("benchmarks=[promoters]", "benchmarks: 'promoters' is unknown; did you mean 'demo_pro"),
        ("stages=[finetun]", "stages: 'finetun' is not one of ['finetune', 'scratch', 'probe']"),
        ("bench={lengths: {atention: []}}", "bench: lengths: key 'atention' is unknown; did you"),
        ("bench={dtype: f32}", "bench: dtype: 'f32' is not one of ['fp32', 'bf16', 'fp16']"),
        ("stages=[probe,probe]", "stages: ['probe', 'probe'] has non-unique elements"),
        ("genome=mm10", "config/genomes.tsv: mm10: pretraining needs its intervals"),
    ],
)
def test_wrong_value_is_refused(
    snakemake: Snakemake, unchanged_checkout: Path, setting: str, message: str
) -> None:
    dry = snakemake(unchanged_checkout, "-n", "--config", setting)
    assert dry.returncode != 0
    last = dry.stdout.rstrip().rpartition("\n")[2]
    assert last.startswith("hyenadna: ")
    assert message in last
    assert 'File "' not in dry.stdout


def test_genome_that_is_not_where_its_row_says_is_refused(
    snakemake: Snakemake, new_checkout: Callable[[], Path]
) -> None:
    checkout = new_checkout()
    with (checkout / "config" / "genomes.tsv").open("a") as file:
        file.write(split_as("valid=chr1"))
    dry = snakemake(checkout, "-n", "--", "results/genomes/odd/genome.fa")
    assert dry.returncode != 0
    last = dry.stdout.rstrip().rpartition("\n")[2]
    assert last.startswith("hyenadna: config/genomes.tsv: odd: there is no file odd.fa")


GENOME = "odd\tHomo sapiens\thg38\t\todd.fa\t\t\t\tfree\n"


def split_as(intervals: str) -> str:
    """Return `GENOME` with these intervals."""
    return GENOME.replace("\tfree", f"{intervals}\tfree")


@pytest.mark.parametrize(
    ("table", "row", "message"),
    [
        ("genomes", GENOME * 2, "'odd' is there twice"),
        (
            "genomes",
            GENOME.replace("free", "free\t\t\tmore"),
            "'(beyond the last column)' is unknown",
        ),
        ("genomes", GENOME.replace("odd\t", "o/d\t"), "genome: 'o/d' does not match"),
        ("genomes", split_as("vaild=chr1"), "odd: intervals: 'vaild' is unknown; did you mean 'va"),
        ("genomes", split_as("test=chr1"), "odd: intervals: no contig to validate on; add valid="),
        ("genomes", split_as("valid=chr1,"), "odd: intervals: 'valid=chr1,': a BED, or contigs by"),
        (
            "benchmarks",
            "odd\tchromatin_profile\tdata\tdemo_hunam\tauroc\t\t\t\n",
            "config/benchmarks.tsv: odd: genomes: 'demo_hunam' is unknown; did you mean",
        ),
        (
            "benchmarks",
            "odd\tgenomic_benchmarks\tdata\tdemo_human\taccuracy\t\t\t\n",
            "genomic_benchmarks needs class=genome for each of its classes",
        ),
    ],
)
def test_wrong_row_is_refused(
    snakemake: Snakemake, new_checkout: Callable[[], Path], table: str, row: str, message: str
) -> None:
    checkout = new_checkout()
    with (checkout / "config" / f"{table}.tsv").open("a") as file:
        file.write(row)
    dry = snakemake(checkout, "-n")
    assert dry.returncode != 0
    assert message in dry.stdout
    assert f"config/{table}.tsv" in dry.stdout
