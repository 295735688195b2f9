"""Small genomes and tables, written for the task tests."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam


@dataclass(frozen=True)
class Genomes:
    """Directory of genomes: `rich` in G and C, `poor` in them; each has chr1 and chr2."""

    directory: Path
    sequences: dict[str, dict[str, str]]

    def fasta(self, name: str) -> Path:
        return self.directory / name / "genome.fa"


def random_sequence(length: int, *, gc: float, seed: int) -> str:
    """Independent bases with a share `gc` of G and C."""
    weights = [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), length, p=weights))


def write_genome(directory: Path, contigs: dict[str, str], intervals: str = "") -> Path:
    """Write genome.fa with its index and intervals.bed beside it."""
    directory.mkdir(parents=True)
    fasta = directory / "genome.fa"
    fasta.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in contigs.items()))
    pysam.faidx(str(fasta))
    (directory / "intervals.bed").write_text(intervals)
    return fasta


def write_table(path: Path, header: str, *rows: str) -> Path:
    """Write a gzipped CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join([header, *rows, ""]).encode()))
    return path
