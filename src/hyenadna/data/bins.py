"""Bins of a contig: which ones peaks cover, and in which split the window about each one lies.

Bin i is [i * size, (i + 1) * size). Coordinates are zero-based, half-open. P peaks, M bins.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import read_lines
from hyenadna.errors import InputError
from hyenadna.genome import SPLITS, check_intervals, merge_intervals, read_intervals

BORDER, OUTSIDE = -1, -2
"""In place of a split: the window crosses its border, or the bin is in none."""


def covered_bins(
    starts: NDArray[np.int64], ends: NDArray[np.int64], *, size: int, count: int
) -> NDArray[np.int32]:
    """Return the bins, ascending, of which intervals together cover more than half.

    This is the label of DeepSEA (Zhou and Troyanskaya 2015), with bins of 200.

    Args:
        starts: (P,) in any order; intervals may overlap.
        ends: (P,) half-open.
        size: nucleotides of a bin.
        count: bins of the contig; what lies behind them is in none.
    """
    starts, ends = _union(starts, ends)
    first, last = starts // size, (ends - 1) // size
    touched = last - first + 1
    # One entry for each pair of an interval and a bin that it touches.
    interval = np.repeat(np.arange(len(starts)), touched)
    bins = np.arange(len(interval)) - np.repeat(np.cumsum(touched) - touched, touched)
    bins += first[interval]
    left = np.maximum(starts[interval], bins * size)
    right = np.minimum(ends[interval], (bins + 1) * size)
    found, which = np.unique(bins, return_inverse=True)
    bases = np.bincount(which, weights=right - left, minlength=len(found))
    return found[(2 * bases > size) & (found < count)].astype(np.int32)


def _union(
    starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return disjoint intervals, ascending, that cover the same bases."""
    order = np.argsort(starts, kind="stable")
    starts, reach = starts[order], np.maximum.accumulate(ends[order])
    opens = np.ones(len(starts), dtype=bool)
    opens[1:] = starts[1:] > reach[:-1]
    closes = np.append(opens[1:], True)[: len(starts)]
    return starts[opens], reach[closes]


class Stretches(NamedTuple):
    """Disjoint stretches of a contig, ascending, each of one split."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    splits: NDArray[np.int8]
    """Index of the split."""

    def split_of(self, bins: NDArray[np.int32], *, size: int, window: int) -> NDArray[np.int8]:
        """Return (M,) the split that holds the whole window centred on each bin.

        `BORDER` where only the centre is in a split, `OUTSIDE` where that is in none.
        """
        centres = bins.astype(np.int64) * size + size // 2
        at = np.searchsorted(self.starts, centres, side="right") - 1
        first = centres - window // 2
        inside = (at >= 0) & (centres < self.ends[at])
        whole = inside & (first >= self.starts[at]) & (first + window <= self.ends[at])
        splits = np.where(whole, self.splits[at], BORDER)
        return np.where(inside, splits, OUTSIDE).astype(np.int8)


def read_splits(bed: Path, lengths: Mapping[str, int]) -> tuple[dict[str, Stretches], list[str]]:
    """Return the stretches of each contig that has any, and the names of the splits in use."""
    intervals = [interval for interval in read_intervals(bed) if interval.split in SPLITS]
    if not intervals:
        raise InputError(f"{bed}: no interval is of {', '.join(SPLITS)} (fourth column)")
    check_intervals(intervals, lengths, source=bed)
    names = [name for name in SPLITS if any(interval.split == name for interval in intervals)]
    merged = sorted(merge_intervals(intervals), key=lambda interval: interval.start)
    stretches = {}
    for contig in lengths:
        of_contig = [interval for interval in merged if interval.contig == contig]
        if of_contig:
            stretches[contig] = Stretches(
                np.array([interval.start for interval in of_contig]),
                np.array([interval.end for interval in of_contig]),
                np.array([names.index(interval.split) for interval in of_contig], dtype=np.int8),
            )
    return stretches, names


def read_peaks(path: Path, lengths: Mapping[str, int]) -> dict[str, NDArray[np.int64]]:
    """Return (P, 2) starts and ends by contig; a peak off the genome is an InputError."""
    by_contig: dict[str, list[tuple[int, int]]] = {}
    for contig, start, end, _ in read_intervals(path):
        if end > lengths.get(contig, 0):
            raise InputError(_off_genome(path, contig, start, end, lengths))
        by_contig.setdefault(contig, []).append((start, end))
    return {contig: np.array(peaks, dtype=np.int64) for contig, peaks in by_contig.items()}


def _off_genome(path: Path, contig: str, start: int, end: int, lengths: Mapping[str, int]) -> str:
    rows = ((number, text.split("\t")) for number, text in read_lines(path))
    line = next(
        number
        for number, row in rows
        if row[0] == contig and (int(row[1]), int(row[2])) == (start, end)
    )
    limit = f"has {lengths[contig]} bases" if contig in lengths else "is not in the genome"
    return (
        f"{path}, line {line}: peak {contig}:{start}-{end}, but {contig} {limit}; "
        "peaks and genome must be of one assembly and name contigs alike"
    )
