"""Tables of a chromatin profile that the workflow makes: of peaks, and from another assembly."""

import gzip
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
ROW = "mine\tchromatin_profile\tresources/benchmarks/mine\t{genome}\tauroc_median\t\t\tx\n"


@pytest.fixture
def checkout(new_checkout: Callable[[], Path]) -> Path:
    """A checkout with a folder for the data of benchmark `mine`, of genome demo_human."""
    checkout = new_checkout()
    (checkout / "resources" / "benchmarks" / "mine").mkdir(parents=True)
    return checkout


def add_row(checkout: Path, genome: str) -> None:
    with (checkout / "config" / "benchmarks.tsv").open("a") as file:
        file.write(ROW.format(genome=genome))


def test_peaks_become_the_tables_of_a_benchmark(snakemake: Snakemake, checkout: Path) -> None:
    folder = checkout / "resources" / "benchmarks" / "mine"
    add_row(checkout, "demo_human")
    (folder / "peaks.tsv").write_text("target\tgroup\tfile\nCTCF\tTF\tctcf.bed.gz\n")
    starts = (200_000, 900_000, 1_500_000)
    peaks = "".join(f"chr20\t{start}\t{start + 400}\n" for start in starts)
    (folder / "ctcf.bed.gz").write_bytes(gzip.compress(peaks.encode()))
    (folder / "splits.bed").write_text(
        "chr20\t100000\t800000\ttrain\nchr20\t800000\t1400000\tvalid\n"
        "chr20\t1400000\t2000000\ttest\n"
    )
    tables = [
        f"resources/benchmarks/mine/{split}_demo_human_coords_targets.csv.gz"
        for split in ("train", "val", "test")
    ]
    done = snakemake(checkout, "--cores", "1", "--config", "bins_with=TF", "--", *tables)
    assert done.returncode == 0, done.stdout
    for table, start in zip(tables, starts, strict=True):
        lines = gzip.decompress((checkout / table).read_bytes()).decode().splitlines()
        windows = [f"19,{first - 400},{first + 600},1" for first in (start, start + 200)]
        assert lines == ["Chr_No,Start,End,y_CTCF", *windows]
    assert (folder / "targets.tsv").read_text() == "target\tgroup\nCTCF\tTF\n"


def test_tables_in_hg19_are_lifted_for_a_benchmark_of_hg38(
    snakemake: Snakemake, checkout: Path
) -> None:
    folder = checkout / "resources" / "benchmarks" / "mine"
    add_row(checkout, "hg38")
    for split in ("train", "test"):
        (folder / f"{split}_hg19_coords_targets.csv.gz").write_bytes(b"")
    run = "results/finetune/tiny-1k/mine/seed0/metrics.tsv"
    dry = snakemake(checkout, "-n", "--", run)
    assert dry.returncode == 0, dry.stdout
    assert dry.stdout.count("exec hyenadna lift ") == 2
    assert "hyenadna download resources/chains/hg19ToHg38.over.chain.gz" in dry.stdout
