"""What the workflow fetches, from where, and when not again."""

import gzip
import hashlib
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from file_server import BUSY, CUT, FileServer, serving

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
FASTA = gzip.compress(b">chr1\n" + b"ACGTN" * 20_000 + b"\n>chr2\nACGT\n")
TARGET = "results/genomes/odd/genome.fa"
FETCHED = "resources/genomes/odd.fa.gz"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        server.files["/odd.fa.gz"] = FASTA
        yield server


def add_genome(checkout: Path, url: str, sha256: str = "") -> None:
    """Add a genome by its row alone, without the columns that may be left out."""
    with (checkout / "config" / "genomes.tsv").open("a") as file:
        file.write(f"odd\todd\tx\t\t{url}\t{sha256}\t\tvalid=chr2\tfree\n")


@pytest.fixture
def checkout(new_checkout: Callable[[], Path], server: FileServer) -> Path:
    checkout = new_checkout()
    add_genome(checkout, f"{server.url}/odd.fa.gz")
    return checkout


@pytest.mark.slow
def test_genome_behind_an_address_needs_a_row_alone_and_comes_through_faults_of_its_server(
    snakemake: Snakemake, checkout: Path, server: FileServer
) -> None:
    server.faults.extend([BUSY, CUT, CUT])
    done = snakemake(checkout, "--cores", "1", "--", TARGET)
    assert done.returncode == 0, done.stdout
    assert (checkout / TARGET).read_bytes() == gzip.decompress(FASTA)
    assert (
        hashlib.sha256(FASTA).hexdigest()
        in (checkout / "config" / "downloads.lock.tsv").read_text()
    )


@pytest.mark.slow
def test_a_file_is_fetched_again_if_its_row_names_another_and_not_for_a_mirror(
    snakemake: Snakemake, checkout: Path, server: FileServer
) -> None:
    assert snakemake(checkout, "--cores", "1", "--", FETCHED).returncode == 0
    elsewhere = snakemake(checkout, "-n", "--config", "mirror=m", "offline=True", "--", FETCHED)
    assert "Nothing to be done" in elsewhere.stdout
    genomes = checkout / "config" / "genomes.tsv"
    genomes.write_text(genomes.read_text().replace("/odd.fa.gz", "/new.fa.gz"))
    other = snakemake(checkout, "-n", "--", FETCHED)
    assert "hyenadna download" in other.stdout


@pytest.mark.slow
def test_offline_run_names_every_missing_file_before_it_starts(
    snakemake: Snakemake, checkout: Path, server: FileServer
) -> None:
    (checkout / "mirror" / "genomes").mkdir(parents=True)
    (checkout / "mirror" / "genomes" / "odd.fa.gz").write_bytes(FASTA)
    wanted = ("--", "results/genomes/odd/genome.fa", "results/genomes/mm10/genome.fa")
    config = ("--config", "offline=True", "mirror=mirror")
    refused = snakemake(checkout, "--cores", "1", *config, *wanted)
    assert refused.returncode == 1
    named = re.findall(r"^  (hyenadna download .*)$", refused.stdout, re.MULTILINE)
    assert named == ["hyenadna download resources/genomes/mm10.fa.gz"]
    assert not (checkout / FETCHED).exists()
    done = snakemake(checkout, "--cores", "1", *config, "--", TARGET)
    assert done.returncode == 0, done.stdout
    assert not server.requests


@pytest.mark.slow
def test_wrong_address_ends_the_run_before_its_first_job(
    snakemake: Snakemake, checkout: Path, server: FileServer
) -> None:
    server.files.clear()
    done = snakemake(checkout, "--cores", "1", "--", TARGET)
    assert done.returncode == 1
    assert f"  {FETCHED} (config/genomes.tsv, line " in done.stdout
    assert "the server answers 404" in done.stdout
    assert "exec hyenadna" not in done.stdout


def test_benchmarks_of_the_network_are_fetched_and_those_of_ones_own_are_not(
    snakemake: Snakemake, new_checkout: Callable[[], Path]
) -> None:
    checkout = new_checkout()
    own = checkout / "resources" / "benchmarks" / "nucleotide_transformer" / "H3"
    own.mkdir(parents=True)
    for split in ("train", "test"):
        (own / f"{split}.csv.gz").write_bytes(b"")
    dry = snakemake(
        checkout, "-n", "--", *(f"results/baselines/{name}/metrics.tsv" for name in ("H3", "H4"))
    )
    assert dry.returncode == 0, dry.stdout
    fetched = set(re.findall(r"hyenadna download (\S+)", dry.stdout))
    assert fetched == {
        f"resources/benchmarks/nucleotide_transformer/H4/{split}.fna" for split in ("train", "test")
    }
