"""Coordinate look-up: the label of the training item that lies where a test item does.

N test items, M training items, C classes or targets. No base is read, so whatever this scores
above chance is what the split gives away.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import Regions
from hyenadna.tasks.leaks import Spans, on_one_axis

_PAIRS = 4_000_000
"""Pairs of items in memory at once."""


def look_up(train: Regions, targets: NDArray[Any], test: Regions) -> NDArray[np.float64]:
    """Return for each test item the targets of the training item that shares most bases with it.

    The mean, where several share as many. An item that touches none gets the mean over training
    items that touch no other training item: those are as alone as it is, and what is unseen may
    well be of one class.

    Args:
        train: M regions.
        targets: (M, C) numbers, or 0 and 1.
        test: N regions.

    Returns:
        (N, C).
    """
    from scipy.sparse import csr_matrix

    train_spans, test_spans = on_one_axis(train, test)
    alone = ~_touch_another(train_spans)
    unseen = targets[alone if alone.any() else slice(None)].mean(axis=0, dtype=np.float64)
    found = np.tile(unseen, (len(test), 1))
    for rows, columns in _closest(train_spans, test_spans):
        touched, lines = np.unique(rows, return_inverse=True)
        # Targets are turned into floats only where needed: there may be gigabytes of them.
        used, places = np.unique(columns, return_inverse=True)
        shape = (len(touched), len(used))
        closest = csr_matrix((np.ones(len(rows)), (lines, places)), shape=shape)
        counts = np.bincount(lines, minlength=len(touched))
        found[touched] = closest @ targets[used].astype(np.float64) / counts[:, None]
    return found


def _touch_another(spans: Spans) -> NDArray[np.bool_]:
    """Return (N,) whether a span shares a position with another one of the same set."""
    order = np.argsort(spans.starts, kind="stable")
    starts, ends = spans.starts[order], spans.ends[order]
    touch = np.zeros(len(order), dtype=bool)
    touch[1:] = np.maximum.accumulate(ends)[:-1] > starts[1:]
    touch[:-1] |= starts[1:] < ends[:-1]
    return touch[np.argsort(order)]


def _closest(train: Spans, test: Spans) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield pairs of test and training items that share as much as the former does with any."""
    order = np.argsort(train.starts, kind="stable")
    starts, ends = train.starts[order], train.ends[order]
    # What begins a longest item's length before a test item cannot reach it.
    longest = int((ends - starts).max())
    first = np.searchsorted(starts, test.starts - longest, side="right")
    counts = np.searchsorted(starts, test.ends, side="left") - first
    batches = np.cumsum(counts) // _PAIRS
    for rows in np.split(np.arange(len(counts)), np.flatnonzero(np.diff(batches)) + 1):
        of_rows = counts[rows]
        at = np.repeat(rows, of_rows)
        within = np.arange(len(at)) - np.repeat(np.cumsum(of_rows) - of_rows, of_rows)
        candidates = first[at] + within
        shared = np.minimum(ends[candidates], test.ends[at])
        shared -= np.maximum(starts[candidates], test.starts[at])
        most = np.zeros(len(counts), dtype=np.int64)
        np.maximum.at(most, at, shared)
        kept = (shared > 0) & (shared == most[at])
        yield at[kept], order[candidates[kept]]
