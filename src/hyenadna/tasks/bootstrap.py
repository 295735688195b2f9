"""The headline metric under resamples of a split: how much it hangs on which items were drawn.

N items, C classes or targets, R resamples.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet
from hyenadna.files import atomic_write
from hyenadna.tasks.resampled import Counts, columns_of, resampled

Scored = tuple[LabelledSet, Mapping[str, NDArray[np.floating[Any]]]]
"""Items of a split, and by method their scores (N, C); a trained network alone has no name."""

BOOTSTRAP = "bootstrap.tsv"
"""Name of the file, beside the predictions."""
RESAMPLES = 1000
FEWEST = 50
"""Resamples below which none are made: their spread would say too little."""
BUDGET = 3 * 10**10
"""Items times columns times resamples of one score, which take a core some minutes."""
_COUNTED = 1 << 27
"""Resampled items that are counted at once, a byte each."""


def write_bootstrap(path: Path, splits: Mapping[str, Scored], *, metric: str) -> dict[str, Any]:
    """Write a metric of several splits under resamples; return what `run.json` says of them.

    The table has the columns split, replicate, name and value. Resample r of N items is the same
    for all that is scored on N items, so that methods can be compared resample by resample. Medians
    over targets are given by group too.

    Args:
        path: to write.
        splits: items and scores, by split.
        metric: the headline.
    """
    lines = ["split\treplicate\tname\tvalue\n"]
    made = {split: affordable(items, metric) for split, (items, _) in splits.items()}
    for split, of_split in splits.items():
        for name, values in _values(of_split, metric, made[split]).items():
            lines += [f"{split}\t{row}\t{name}\t{of:.6g}\n" for row, of in enumerate(values)]
    with atomic_write(path) as part:
        part.write_text("".join(lines), encoding="utf-8")
    digests = {split: _digest(items) for split, (items, _) in splits.items()}
    return {"metric": metric, "resamples": made, "items": digests}


def _values(of_split: Scored, metric: str, resamples: int) -> dict[str, list[float]]:
    """Return the metric of every method by resample."""
    items, methods = of_split
    found: dict[str, list[float]] = {}
    for counts in _drawn(len(items), resamples):
        for method, scores in methods.items():
            for name, values in resampled(items, scores, metric, counts).items():
                found.setdefault(f"{method}.{name}" if method else name, []).extend(values)
    return found


def affordable(items: LabelledSet, metric: str) -> int:
    """Return how many resamples the budget allows, 0 where they would be too few."""
    count = min(RESAMPLES, BUDGET // max(1, len(items) * columns_of(items, metric)))
    return count if count >= FEWEST and len(items) > 1 else 0


def _drawn(size: int, resamples: int) -> Iterator[Counts]:
    """Yield the counts of all resamples of N items, (R, N), a part of them in memory at a time."""
    step = max(1, _COUNTED // max(1, size))
    for start in range(0, resamples, step):
        rows = range(start, min(start + step, resamples))
        yield np.stack([counts_of(size, row).astype(np.uint8) for row in rows])


def counts_of(size: int, replicate: int) -> NDArray[np.int64]:
    """Return how often resample `replicate` of a split has each of its items, (N,)."""
    # Raw bits, as numpy promises them to stay the same over its versions, unlike drawn integers.
    bits = np.random.PCG64(np.random.SeedSequence((size, replicate))).random_raw(size)
    return np.bincount((bits % np.uint64(size)).astype(np.int64), minlength=size)


def _digest(items: LabelledSet) -> str:
    """Return a checksum of which items these are, in which order, with which labels."""
    lines = "\n".join(items.ids).encode(errors="surrogateescape")
    parts = (lines, items.labels.tobytes(), items.lengths.tobytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
