"""Single-label sets from GENCODE facts, in the file formats of the published benchmarks.

Every training item lies in a train interval and every test item in a test interval of the
genome that it is cut from; promoters, which come from all of chr20, have intervals of their own.
"""

from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import pandas as pd

from .annotation import read_coding_exons
from .genomes import CONTIG, HUMAN
from .sequences import is_acgt, write_csv
from .windows import (
    Interval,
    Mask,
    Window,
    bases,
    choose,
    free_windows,
    is_inside,
    keep_apart,
    of_split,
    uniform,
)

UPSTREAM, DOWNSTREAM = 249, 51  # bases before a start of transcription, and from it on
# Test is the gene-rich end of the chromosome, far from the embedded 2 Mb.
PROMOTERS = (
    Interval(CONTIG, 0, 49_990_000, "train"),
    Interval(CONTIG, 50_000_000, 64_444_167, "test"),
)
AWAY_FROM_START, NEAR_PROMOTER = 2_000, 50_000

WINDOW = 200
LEAST_EXON = 100  # bases; of a shorter one, most of a window would be intron
AWAY_FROM_GENE = 1_000
INTERGENIC_SLOT, SPECIES_SLOT = 250, 240
SPECIES_WINDOWS = {"train": 1_000, "test": 250}


def write_promoters(out: Path, chr20: str, genes: pd.DataFrame) -> None:
    """Write 300 bp around starts of protein-coding genes (1), and as many windows nearby (0)."""
    starts = genes["start"].where(genes["strand"] == "+", genes["end"] - 1)
    mask = Mask(len(chr20), ((s, s + 1) for s in starts), margin=AWAY_FROM_START)
    coding = genes["gene_type"] == "protein_coding"
    around = map(_around_start, starts[coding], genes.loc[coding, "strand"])
    promoters = keep_apart(p for p in around if is_acgt(bases(chr20, p)))
    length = UPSTREAM + DOWNSTREAM
    for split in ("train", "test"):
        intervals = of_split(PROMOTERS, split)
        kept = [p for p in promoters if is_inside(p.start, p.end, intervals)]
        spare = free_windows(chr20, intervals, length=length, slot=length, mask=mask)
        rows = [
            (bases(chr20, window), label)
            for pair in _pair_with_nearby(kept, spare)
            for window, label in zip(pair, (1, 0), strict=True)
        ]
        write_csv(out / f"{split}.csv.gz", pd.DataFrame(rows, columns=["sequence", "label"]))


def write_coding_vs_intergenic(out: Path, chr20: str, genes: pd.DataFrame, downloads: Path) -> None:
    """Write windows on exons of protein-coding genes, and as many outside of any gene."""
    exons = read_coding_exons(downloads, genes)
    tiles = chain.from_iterable(map(_tile_exon, exons["start"], exons["end"], exons["strand"]))
    exonic = keep_apart(tile for tile in tiles if is_acgt(bases(chr20, tile)))
    spans = zip(genes["start"], genes["end"], strict=True)
    mask = Mask(len(chr20), spans, margin=AWAY_FROM_GENE)
    for split in ("train", "test"):
        intervals = of_split(HUMAN, split)
        coding = [tile for tile in exonic if is_inside(tile.start, tile.end, intervals)]
        spare = free_windows(chr20, intervals, length=WINDOW, slot=INTERGENIC_SLOT, mask=mask)
        _write_regions(out / split / "coding.csv.gz", CONTIG, coding)
        _write_regions(out / split / "intergenic.csv.gz", CONTIG, choose(spare, len(coding)))


def write_human_or_worm(
    out: Path, chr20: str, worm: str, worm_intervals: Sequence[Interval]
) -> None:
    """Write windows from anywhere in the intervals of either genome."""
    for name, sequence, intervals in (("human", chr20, HUMAN), ("worm", worm, worm_intervals)):
        for split, number in SPECIES_WINDOWS.items():
            where = of_split(intervals, split)
            spare = free_windows(sequence, where, length=WINDOW, slot=SPECIES_SLOT)
            path = out / split / f"{name}.csv.gz"
            _write_regions(path, where[0].contig, choose(spare, number))


def _around_start(start: int, strand: str) -> Window:
    first = start - (UPSTREAM if strand == "+" else DOWNSTREAM - 1)
    return Window(first, first + UPSTREAM + DOWNSTREAM, strand)


def _pair_with_nearby(
    windows: Iterable[Window], spare: Iterable[Window]
) -> Iterator[tuple[Window, Window]]:
    """Pair each window with a spare one close to it, which has much the same GC content."""
    left = list(spare)
    for window in windows:
        first = bisect(left, window.start - NEAR_PROMOTER, key=lambda other: other.start)
        last = bisect(left, window.start + NEAR_PROMOTER, key=lambda other: other.start)
        if first < last:
            yield window, left.pop(first + int(uniform("near", window.start) * (last - first)))


def _tile_exon(start: int, end: int, strand: str) -> list[Window]:
    """Lay windows side by side over the middle of an exon; one if it is shorter than two."""
    length = end - start
    if length < LEAST_EXON:
        return []
    number = max(1, length // WINDOW)
    first = start + (length - number * WINDOW) // 2
    return [Window(s, s + WINDOW, strand) for s in range(first, first + number * WINDOW, WINDOW)]


def _write_regions(path: Path, contig: str, windows: Sequence[Window]) -> None:
    table = pd.DataFrame(windows, columns=["start", "end", "strand"])
    table.insert(0, "region", contig)
    write_csv(path, table.rename_axis("id").reset_index())
