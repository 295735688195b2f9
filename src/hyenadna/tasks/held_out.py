"""Test items drawn from data that has none: no sequence and no base is on both sides.

N items. What repeats (on either strand) or overlaps in a genome makes a group, which stays whole.
"""

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import Regions, Sequences
from hyenadna.tasks.leaks import digest, on_one_axis

TEST_FRACTION = 0.1


def draw_test(sequences: Sequences, strata: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (N,) whether an item is for test: about a tenth of each stratum, always the same.

    A group belongs to the stratum of its first item. Groups larger than the tenth stay in train,
    unless all of a stratum are; then the smallest is for test. A stratum of one group stays whole.

    Args:
        sequences: N of them.
        strata: (N,) classes, or zeros.
    """
    groups = _groups(sequences)  # (N,)
    _, first, inverse, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    of_group = strata[first]
    held = np.zeros(len(first), dtype=bool)
    for stratum in np.unique(of_group):
        members = np.flatnonzero(of_group == stratum)
        if len(members) < 2:
            continue
        members = np.random.default_rng((0, int(stratum))).permutation(members)
        room = max(1, round(TEST_FRACTION * int(sizes[members].sum())), int(sizes[members].min()))
        fitting = members[sizes[members] <= room]
        held[fitting[np.cumsum(sizes[fitting]) <= room]] = True
    return held[inverse]


def _groups(sequences: Sequences) -> NDArray[np.int64]:
    """Return (N,) numbers; items of one number repeat or overlap, if through others between."""
    numbers: dict[bytes, int] = {}
    same = np.array(
        [
            numbers.setdefault(digest(sequences[row], size=16), len(numbers))
            for row in range(len(sequences))
        ],
        dtype=np.int64,
    )
    if not isinstance(sequences, Regions):
        return same
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    # Stretches and sequences are the nodes of a graph, and each item joins its two.
    stretches = _stretches(sequences)
    count = int(stretches.max()) + 1
    nodes = count + len(numbers)
    joined = coo_matrix((np.ones(len(same)), (stretches, count + same)), shape=(nodes, nodes))
    _, component = connected_components(joined, directed=False)
    groups: NDArray[np.int64] = component[stretches].astype(np.int64)
    return groups


def _stretches(regions: Regions) -> NDArray[np.int64]:
    """Return (N,) numbers of the stretches of genome that regions which overlap make together."""
    (spans,) = on_one_axis(regions)
    order = np.argsort(spans.starts, kind="stable")
    furthest = np.maximum.accumulate(spans.ends[order])
    begins = spans.starts[order][1:] >= furthest[:-1]
    stretches = np.zeros(len(order), dtype=np.int64)
    stretches[order[1:]] = np.cumsum(begins)
    return stretches
