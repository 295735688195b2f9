"""Intervals made for a genome: splits by whole contigs, and intervals widened to hold a window.

Coordinates are zero-based, half-open, in nucleotides.
"""

import difflib
import itertools
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hyenadna.errors import InputError
from hyenadna.files import write_text
from hyenadna.genome import SPLITS, Interval, merge_intervals


def whole_contigs(
    contigs: Mapping[str, int],
    *,
    valid: Sequence[str],
    test: Sequence[str] = (),
    skip: Sequence[str] = (),
    source: Path,
) -> list[Interval]:
    """Return each contig as one interval, in the order of the genome; those not named are train.

    Args:
        contigs: name to length, of the whole genome.
        valid: contigs to validate on.
        test: contigs to test on.
        skip: contigs to leave out.
        source: the genome, for messages.

    Raises:
        InputError: a named contig is not there or named twice, or none is left to train on.
    """
    roles: dict[str, str] = {}
    for role, named in (("valid", valid), ("test", test), ("skip", skip)):
        for contig in named:
            if contig not in contigs:
                raise _no_such_contig(contig, contigs, source)
            if roles.setdefault(contig, role) != role:
                raise InputError(
                    f"contig {contig!r} is given as {roles[contig]} and as {role}; choose one"
                )
    if not valid:
        raise InputError("no contig to validate on; name at least one, e.g. --valid chr10")
    if len(roles) == len(contigs):
        raise InputError(
            f"{source}: all {len(roles)} contigs are valid, test or skipped; leave at "
            "least one to train on"
        )
    return [
        Interval(contig, 0, length, roles.get(contig, "train"))
        for contig, length in contigs.items()
        if roles.get(contig) != "skip"
    ]


def write_intervals(path: Path, intervals: Iterable[Interval]) -> None:
    """Write a BED of contig, start, end and split, atomically."""
    write_text(path, "".join("{}\t{}\t{}\t{}\n".format(*interval) for interval in intervals))


class Widened(NamedTuple):
    """Intervals of one split after widening, and what it took."""

    intervals: list[Interval]
    """As given, those that were too short made longer; they may overlap each other."""
    number: int
    """Intervals that were too short."""
    clipped: int
    """Nucleotides that were asked for but lie off a contig or beyond another split."""


def widen(
    intervals: Iterable[Interval], contigs: Mapping[str, int], *, split: str, size: int
) -> Widened:
    """Widen the intervals of a split that are shorter than `size` about their middle.

    None grows past the end of its contig or into or beyond an interval of another split: what is
    asked for there is clipped.

    Args:
        intervals: of all splits; no two splits share a base, and all lie within `contigs`.
        contigs: name to length.
        split: train, valid or test.
        size: nucleotides that an interval should have.
    """
    intervals = list(intervals)
    neighbours: dict[str, list[Interval]] = {}
    others = merge_intervals(i for i in intervals if i.split in SPLITS and i.split != split)
    for other in sorted(others):
        neighbours.setdefault(other.contig, []).append(other)
    widened, number, clipped = [], 0, 0
    for interval in intervals:
        if interval.split != split:
            continue
        if interval.end - interval.start < size:
            low, high = _room(interval, neighbours.get(interval.contig, []), contigs)
            start = (interval.start + interval.end - size) // 2
            interval = interval._replace(start=max(start, low), end=min(start + size, high))
            number += 1
            clipped += size - (interval.end - interval.start)
        widened.append(interval)
    return Widened(widened, number, clipped)


def _room(
    interval: Interval, neighbours: Sequence[Interval], contigs: Mapping[str, int]
) -> tuple[int, int]:
    """Return the span around an interval up to its neighbours (sorted, disjoint) or contig ends."""
    after = bisect(neighbours, interval.start, key=lambda neighbour: neighbour.start)
    low = neighbours[after - 1].end if after else 0
    high = neighbours[after].start if after < len(neighbours) else contigs[interval.contig]
    return low, high


def _no_such_contig(contig: str, contigs: Mapping[str, int], source: Path) -> InputError:
    near = difflib.get_close_matches(contig, contigs, n=3, cutoff=0.5)
    some = ", ".join(itertools.islice(contigs, 5))
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it starts with {some}"
    return InputError(f"{source}: the genome has no contig {contig!r}; {hint}")
