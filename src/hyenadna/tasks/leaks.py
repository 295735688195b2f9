"""Test items that training has seen: the same bases again, or a place that it touches.

N items.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet, Regions
from hyenadna.genome import reverse_complement

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Leaks:
    """What of a test split is in the training data too."""

    duplicates: NDArray[np.bool_]
    """(N,) whether a training item has the same bases, read from either strand."""
    overlaps: NDArray[np.bool_]
    """(N,) whether a training item shares a base of the genome, on either strand."""

    @property
    def leaked(self) -> NDArray[np.bool_]:
        """(N,) either of the two."""
        return self.duplicates | self.overlaps

    def __or__(self, other: "Leaks") -> "Leaks":
        return Leaks(self.duplicates | other.duplicates, self.overlaps | other.overlaps)


def find_leaks(train: LabelledSet, test: LabelledSet) -> Leaks:
    """Find the items of `test` that repeat or overlap one of `train`.

    Case does not matter to what is repeated. An overlap is one base or more of a contig of the
    same genome file; without places there is none.

    Args:
        train: a set that was trained or selected on.
        test: N items.
    """
    if train.regions is None or test.regions is None:
        overlaps = np.zeros(len(test), dtype=bool)
    else:
        overlaps = find_overlaps(*on_one_axis(train.regions, test.regions))
    return Leaks(_find_duplicates(train, test), overlaps)


def leak_table(test: LabelledSet, leaks: Leaks) -> "pd.DataFrame":
    """Return columns label, test_items, duplicates, overlaps, leaked, as counts of items.

    One row per class, or per target the items where it holds; and a row `all`.
    """
    import pandas as pd

    members = {"all": np.ones(len(test), dtype=bool)}
    if test.kind != "regression":
        single = test.kind == "single"
        members = {
            label: (test.labels == row if single else test.labels[:, row] > 0)
            for row, label in enumerate(test.classes)
        } | members
    found = {
        "duplicates": leaks.duplicates,
        "overlaps": leaks.overlaps,
        "leaked": leaks.leaked,
    }
    return pd.DataFrame(
        [
            {"label": label, "test_items": int(of.sum())}
            | {name: int((of & where).sum()) for name, where in found.items()}
            for label, of in members.items()
        ]
    )


class Spans(NamedTuple):
    """Half-open intervals on one axis of integers."""

    starts: NDArray[np.int64]
    """(N,)."""
    ends: NDArray[np.int64]
    """(N,)."""


def on_one_axis(*sets: Regions) -> list[Spans]:
    """Lay the contigs of all genome files one behind the other, far enough for nothing to meet."""
    import pandas as pd

    fastas = [str(genome.fasta.resolve()) for regions in sets for genome in regions.genomes]
    files = {fasta: number for number, fasta in enumerate(dict.fromkeys(fastas))}
    numbers, names = pd.factorize(np.concatenate([regions.contigs for regions in sets]))
    lowest = min((int(regions.starts.min()) for regions in sets if len(regions)), default=0)
    highest = max((int(regions.ends.max()) for regions in sets if len(regions)), default=0)
    spans, first = [], 0
    for regions in sets:
        of_source = [files[str(genome.fasta.resolve())] for genome in regions.genomes]
        contigs = numbers[first : first + len(regions)]
        first += len(regions)
        ranks = np.asarray(of_source, dtype=np.int64)[regions.source] * len(names) + contigs
        offsets = ranks * (highest - lowest) - lowest
        spans.append(Spans(regions.starts + offsets, regions.ends + offsets))
    return spans


def find_overlaps(train: Spans, test: Spans) -> NDArray[np.bool_]:
    """Return (N,) whether a span of `train` shares a position with each of `test`."""
    order = np.argsort(train.starts)
    # Of the spans that begin before a test item ends, does any reach past its start?
    furthest = np.maximum.accumulate(train.ends[order])
    begun = np.searchsorted(train.starts[order], test.ends, side="left")
    reached = np.concatenate([[np.iinfo(np.int64).min], furthest])[begun]
    touched: NDArray[np.bool_] = reached > test.starts
    return touched


def _find_duplicates(train: LabelledSet, test: LabelledSet) -> NDArray[np.bool_]:
    rows = np.flatnonzero(np.isin(train.lengths, np.unique(test.lengths)))
    return np.isin(_hashes(test, np.arange(len(test))), _hashes(train, rows))


def _hashes(items: LabelledSet, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return 64 bits for each item at `rows`, the same for both strands and either case.

    By chance, one of 200,000 items agrees with one of two million in one run of 46 million.
    """

    def digests() -> Iterator[int]:
        for row in rows:
            yield int.from_bytes(digest(items.sequences[int(row)], size=8), "little")

    return np.fromiter(digests(), dtype=np.uint64, count=len(rows))


def digest(sequence: str, *, size: int) -> bytes:
    """Return `size` bytes that are the same for both strands of a sequence, in either case."""
    upper = sequence.upper()
    strand = min(upper, reverse_complement(upper))
    return blake2b(strand.encode(), digest_size=size).digest()
