"""Family species: tell which genome a window comes from.

Each class has a genome, cut into windows side by side inside the intervals of the split that
stand in `intervals.bed` beside its FASTA. A window is whole or it is not used: filling up at the
end of an interval would mark it.
"""

import logging
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet, Regions
from hyenadna.errors import InputError
from hyenadna.genome import Genome, Interval, check_intervals, read_intervals
from hyenadna.tasks.base import Benchmark, Split

HAS_VALIDATION = True
DEFAULT_LENGTH = 1024
"""Nucleotides per window where the table of benchmarks gives none."""
MAX_N_FRACTION = 0.05
"""Windows with more bases than this unknown are skipped, as gaps tell assemblies apart."""
MAX_WINDOWS = {"train": 20_000, "valid": 2_000, "test": 5_000}
"""Windows per class and split."""
_LOG = logging.getLogger(__name__)


def load(benchmark: Benchmark, split: Split) -> LabelledSet:
    """Cut one split, with the same number of windows for each class."""
    classes = tuple(sorted(benchmark.genomes))
    if len(classes) < 2:
        raise InputError(
            f"benchmark {benchmark.name}: species needs class=genome for two classes or more"
        )
    genomes = tuple(Genome(benchmark.genomes[label]) for label in classes)
    chosen = [
        list(islice(_windows(benchmark, label, split, genome), MAX_WINDOWS[split]))
        for label, genome in zip(classes, genomes, strict=True)
    ]
    count = min(map(len, chosen))
    _LOG.info(
        "%s, %s: %d windows for each of %d classes", benchmark.name, split, count, len(classes)
    )
    if not count:
        short = classes[[len(windows) for windows in chosen].index(0)]
        raise InputError(
            f"benchmark {benchmark.name}: {short} has no window for {split}; its intervals.bed "
            "needs intervals of that split, longer than a window and with few N"
        )
    # In genome order: neighbouring reads are quick ones.
    windows = [window for of_class in chosen for window in sorted(of_class[:count])]
    return _labelled(windows, np.repeat(np.arange(len(classes)), count), classes, genomes)


def _labelled(
    windows: list[Interval],
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    genomes: tuple[Genome, ...],
) -> LabelledSet:
    starts = np.array([window.start for window in windows], dtype=np.int64)
    ends = np.array([window.end for window in windows], dtype=np.int64)
    sequences = Regions(
        genomes=genomes,
        source=labels,
        contigs=np.array([window.contig for window in windows], dtype=object),
        starts=starts,
        ends=ends,
    )
    ids = [
        f"{classes[label]}/{window.contig}:{window.start}-{window.end}"
        for label, window in zip(labels, windows, strict=True)
    ]
    return LabelledSet(ids, sequences, ends - starts, labels, classes, "single")


def _windows(benchmark: Benchmark, label: str, split: Split, genome: Genome) -> Iterator[Interval]:
    """Yield the windows of a class that have few N, in a fixed random order."""
    bed = benchmark.genomes[label].with_name("intervals.bed")
    intervals = [interval for interval in read_intervals(bed) if interval.split == split]
    check_intervals(intervals, genome.contigs, source=bed)
    length = benchmark.length or DEFAULT_LENGTH
    tiles = [
        Interval(interval.contig, start, start + length)
        for interval in sorted(intervals)
        for start in range(interval.start, interval.end - length + 1, length)
    ]
    for index in np.random.default_rng(0).permutation(len(tiles)):
        tile = tiles[index]
        sequence = genome.fetch(tile.contig, tile.start, tile.end)
        known = sum(sequence.count(letter) for letter in "ACGT")
        if length - known <= MAX_N_FRACTION * length:
            yield tile
