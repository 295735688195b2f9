"""From a row of the table of genomes to an indexed FASTA and its splits."""

import csv
import gzip
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
NCBI = (
    b">A.1 Sus scrofa chromosome 1\nACGT\n>B.1 Sus scrofa chromosome 2, x\nACG\n>C.1 plasmid\nA\n"
)


def test_an_ncbi_assembly_is_split_by_its_chromosomes(
    snakemake: Snakemake, new_checkout: Callable[[], Path]
) -> None:
    checkout = new_checkout()
    (checkout / "pig.fna.gz").write_bytes(gzip.compress(NCBI))
    with (checkout / "config" / "genomes.tsv").open("a") as file:
        file.write("odd\tpig\tx\t\tpig.fna.gz\t\tchromosomes\tvalid=chr2\tfree\n")
    bed = Path("results/genomes/odd/intervals.bed")
    done = snakemake(checkout, "--cores", "1", "--", str(bed))
    assert done.returncode == 0, done.stdout
    assert (checkout / bed).read_text() == "chr1\t0\t4\ttrain\nchr2\t0\t3\tvalid\n"


@pytest.mark.parametrize("name", ["human_t2t", "lemur", "mouse_aj", "pig", "hippo"])
def test_species_of_the_paper_are_split_as_in_the_original(name: str) -> None:
    with (ROOT / "config" / "genomes.tsv").open(newline="") as file:
        (row,) = (row for row in csv.DictReader(file, delimiter="\t") if row["genome"] == name)
    assert row["contigs"] == "chromosomes"
    split = "valid=chr1,chr3,chr12,chr13 test=chr5,chr7,chr9,chr10,chr11"
    assert row["intervals"] == split
    assert f"/{row['accession']}_{row['assembly']}_genomic.fna.gz" in row["source"]
