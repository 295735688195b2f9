"""Intervals of the splits, and the choice of windows inside them.

Choices hang on a hash of what is chosen, not on a random generator: they are the same on every
version of Python and numpy. Coordinates are zero-based, half-open, in nucleotides.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .sequences import is_acgt, reverse_complement, write_lines


class Interval(NamedTuple):
    """A stretch of a contig that belongs to one split: train, valid or test."""

    contig: str
    start: int
    end: int
    split: str


class Window(NamedTuple):
    """A stretch that becomes an item of a labelled set."""

    start: int
    end: int
    strand: str


class Mask:
    """Positions of one contig that windows must leave free."""

    def __init__(self, length: int, blocked: Iterable[tuple[int, int]], *, margin: int = 0) -> None:
        covered = np.zeros(length + 1, dtype=np.int64)
        for start, end in blocked:
            covered[max(0, start - margin) + 1 : end + margin + 1] = 1
        self._before = np.cumsum(covered)  # (length + 1,) blocked positions left of each one

    def is_free(self, start: int, end: int) -> bool:
        """Say whether no position of a window is blocked."""
        return bool(self._before[end] == self._before[start])


def write_intervals(path: Path, intervals: Iterable[Interval]) -> None:
    """Write a BED with the split in the fourth column."""
    write_lines(path, ("\t".join(str(field) for field in interval) for interval in intervals))


def of_split(intervals: Iterable[Interval], split: str) -> list[Interval]:
    """Return the intervals of one split."""
    return [interval for interval in intervals if interval.split == split]


def is_inside(start: int, end: int, intervals: Iterable[Interval]) -> bool:
    """Say whether a window lies whole in one of the intervals."""
    return any(interval.start <= start and end <= interval.end for interval in intervals)


def bases(sequence: str, window: Window) -> str:
    """Return the bases of a window, read along its strand."""
    forward = sequence[window.start : window.end]
    return forward if window.strand == "+" else reverse_complement(forward)


def keep_apart(windows: Iterable[Window]) -> list[Window]:
    """Return the windows in order, without those that overlap one kept before them."""
    kept: list[Window] = []
    for window in sorted(windows):
        if not kept or window.start >= kept[-1].end:
            kept.append(window)
    return kept


def free_windows(
    sequence: str,
    intervals: Iterable[Interval],
    *,
    length: int,
    slot: int,
    mask: Mask | None = None,
) -> list[Window]:
    """List windows of A, C, G, T that overlap neither each other nor what the mask blocks.

    Each slot of `slot` bases holds at most one window of `length` bases; its place in the slot
    and its strand vary.
    """
    windows = []
    for interval in intervals:
        for begin in range(interval.start, interval.end - slot + 1, slot):
            start = begin + int(uniform("place", interval.contig, begin) * (slot - length + 1))
            strand = "+" if uniform("strand", interval.contig, begin) < 0.5 else "-"
            free = mask is None or mask.is_free(start, start + length)
            if free and is_acgt(sequence[start : start + length]):
                windows.append(Window(start, start + length, strand))
    return windows


def choose(windows: Sequence[Window], number: int) -> list[Window]:
    """Choose some of the windows without regard to where they lie; return them in order."""
    if len(windows) < number:
        raise SystemExit(f"{number} windows are asked for, {len(windows)} can be had")
    return sorted(sorted(windows, key=lambda window: uniform("choice", window.start))[:number])


def uniform(*key: object) -> float:
    """Return a number in [0, 1) that depends on the key alone."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
