"""Family species: tell which genome a window comes from.

Each class has a genome, and windows are cut from the stretches of the split that stand in
`intervals.bed` beside its FASTA. A window is a number of known bases (A, C, G, T) in a row: unknown
ones (N and other IUPAC letters) between them are left out of the sequence, and so is their number.
Assemblies differ in their gaps, so that one N would tell a species better than its DNA does.
Windows are whole and of one length, since being filled up at an end would mark them likewise. What
an assembly lacks altogether, such as centromeres in all but the newest ones, does stay a mark.

R runs of known bases in a stretch, W windows.
"""

import logging
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet, Regions
from hyenadna.errors import InputError
from hyenadna.genome import Genome, Interval, check_intervals, merge_intervals, read_intervals
from hyenadna.tasks.base import Benchmark, Split

DEFAULT_LENGTH = 1024
"""Known bases of a window where the table of benchmarks gives none."""
MAX_UNKNOWN = 0.05
"""Largest share of unknown bases in the span of a window."""
MAX_WINDOWS = {"train": 20_000, "valid": 2_000, "test": 5_000}
"""Windows per class and split."""
_BLOCK = 1 << 24
_KNOWN = np.zeros(256, dtype=np.bool_)
_KNOWN[list(b"ACGTacgt")] = True
_LOG = logging.getLogger(__name__)


class _Windows(NamedTuple):
    """Windows of one genome."""

    contigs: NDArray[np.object_]
    """(W,) names."""
    starts: NDArray[np.int64]
    """(W,) first base of the span."""
    ends: NDArray[np.int64]
    """(W,) end of the span, half-open."""


def has_validation(benchmark: Benchmark) -> bool:
    """Return True: the intervals of a genome have a validation split."""
    return True


def load(benchmark: Benchmark, split: Split) -> LabelledSet:
    """Cut one split, with the same number of windows for each class."""
    classes = tuple(sorted(benchmark.genomes))
    if len(classes) < 2:
        raise InputError(
            f"benchmark {benchmark.name}: species needs class=genome for two classes or more"
        )
    length = benchmark.length or DEFAULT_LENGTH
    genomes = tuple(Genome(benchmark.genomes[label]) for label in classes)
    found = [_shuffled_windows(genome, split, length) for genome in genomes]
    counts = [len(windows.starts) for windows in found]
    if not min(counts):
        raise InputError(
            f"benchmark {benchmark.name}: {classes[counts.index(0)]} has no window for {split}; "
            f"its intervals.bed needs intervals of that split with {length} known bases (A, C, G, "
            "T) and few unknown ones between them"
        )
    count = min(*counts, MAX_WINDOWS[split])
    _LOG.info(
        "%s, %s: %d windows for each of %d classes", benchmark.name, split, count, len(classes)
    )
    chosen = [_in_genome_order(windows, count) for windows in found]
    contigs, starts, ends = (np.concatenate(of) for of in zip(*chosen, strict=True))
    labels = np.repeat(np.arange(len(classes)), count)
    regions = Regions(genomes, labels, contigs, starts, ends, known_only=True)
    ids = [
        f"{classes[label]}/{contig}:{start}-{end}"
        for label, contig, start, end in zip(labels, contigs, starts, ends, strict=True)
    ]
    lengths = np.full(len(ids), length, dtype=np.int64)
    return LabelledSet(ids, regions, lengths, labels, classes, "single")


def _in_genome_order(windows: _Windows, count: int) -> _Windows:
    """Return the first `count` windows, sorted: neighbouring reads are quick ones."""
    order = np.lexsort((windows.starts[:count], windows.contigs[:count]))
    return _Windows(windows.contigs[order], windows.starts[order], windows.ends[order])


def _shuffled_windows(genome: Genome, split: Split, length: int) -> _Windows:
    """Find the windows of a split in a genome, in a random order that is the same each time.

    What is drawn in a contig depends on its name and bases alone, not on the other contigs.
    """
    found, keys = [], []
    for stretch, rng in _stretches(genome, split):
        runs = _known_runs(genome, stretch)
        starts, ends = _place(runs, length, rng=rng)
        found.append(_Windows(np.full(len(starts), stretch.contig, dtype=object), starts, ends))
        keys.append(rng.random(len(starts)))
    if not found:
        nothing = np.empty(0, dtype=np.int64)
        return _Windows(nothing.astype(object), nothing, nothing)
    order = np.argsort(np.concatenate(keys), kind="stable")
    contigs, starts, ends = (np.concatenate(of)[order] for of in zip(*found, strict=True))
    return _Windows(contigs, starts, ends)


def _stretches(genome: Genome, split: Split) -> Iterator[tuple[Interval, np.random.Generator]]:
    """Yield the stretches of a split, sorted, disjoint, each with the generator of its contig."""
    bed = genome.fasta.with_name("intervals.bed")
    intervals = read_intervals(bed)
    check_intervals(intervals, genome.contigs, source=bed)
    generators: dict[str, np.random.Generator] = {}
    for stretch in merge_intervals(i for i in intervals if i.split == split):
        name = stretch.contig
        if name not in generators:
            generators[name] = np.random.default_rng((0, zlib.crc32(name.encode())))
        yield stretch, generators[name]


def _known_runs(genome: Genome, stretch: Interval) -> NDArray[np.int64]:
    """Return (R, 2) starts and ends of the runs of known bases, reading each base once."""
    edges, was_known = [], False
    for start in range(stretch.start, stretch.end, _BLOCK):
        text = genome.read(stretch.contig, start, min(start + _BLOCK, stretch.end))
        known = _KNOWN[np.frombuffer(text.encode(), dtype=np.uint8)]
        edges.append(start + np.flatnonzero(np.diff(known, prepend=was_known)))
        was_known = bool(known[-1])
    if was_known:
        edges.append(np.array([stretch.end]))
    return np.concatenate(edges).reshape(-1, 2)


def _place(
    runs: NDArray[np.int64], length: int, *, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place as many windows as fit, without overlap, and return their starts and ends, (W,) each.

    The bases that are left over lie between them at random, so that windows of a long context do
    not all begin where a contig does.
    """
    allowed = int(length * MAX_UNKNOWN / (1 - MAX_UNKNOWN))
    before = np.concatenate([[0], (runs[:, 1] - runs[:, 0]).cumsum()])  # known bases, (R + 1,)
    # No window reaches across a gap as long as that, so each piece between two is packed alone.
    pieces = np.flatnonzero(runs[1:, 0] - runs[:-1, 1] > allowed) + 1
    first = np.concatenate([[0], before[pieces]])
    known = np.diff(first, append=before[-1])
    fit = known // length
    piece = np.repeat(np.arange(len(fit)), fit)  # of each window, (W,)
    index = np.arange(len(piece)) - np.repeat(fit.cumsum() - fit, fit)
    # Sorted draws within a piece are a uniform choice among all ways to leave its rest over.
    rest = rng.integers(0, (known % length)[piece] + 1)
    rest = rest[np.lexsort((rest, piece))]
    at = first[piece] + index * length + rest
    starts = _position(runs, before, at)
    ends = _position(runs, before, at + length - 1) + 1
    keep = ends - starts - length <= allowed
    return starts[keep], ends[keep]


def _position(
    runs: NDArray[np.int64], before: NDArray[np.int64], number: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return where in the contig the known bases of these numbers lie."""
    run = np.searchsorted(before, number, side="right") - 1
    position: NDArray[np.int64] = runs[run, 0] + number - before[run]
    return position
