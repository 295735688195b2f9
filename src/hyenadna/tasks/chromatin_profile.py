"""Family chromatin_profile: many binary targets per window, windows given by their coordinates.

`data/{train,val,test}_hg38_coords_targets.csv.gz`, columns Chr_No (0 is chr1, 22 chrX, 23 chrY),
Start, End and one `y_<target>` per target. Coordinates must be those of the genome's assembly:
nothing is lifted over here. N items, K targets.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import (
    LabelledSet,
    Regions,
    find_table,
    integers,
    read_table_in_parts,
)
from hyenadna.errors import InputError
from hyenadna.genome import Genome
from hyenadna.tasks.base import Benchmark, Split

if TYPE_CHECKING:
    import pandas as pd

HAS_VALIDATION = True
_LOG = logging.getLogger(__name__)
_CHROMOSOMES = np.array([f"chr{name}" for name in (*range(1, 23), "X", "Y")], dtype=object)
_FILES = {"train": "train", "valid": "val", "test": "test"}


def load(benchmark: Benchmark, split: Split) -> LabelledSet:
    """Read one split; windows of `benchmark.length` (that of the table if None) about the centre.

    A window that runs off its chromosome is filled with N on that side, so that its centre stays
    where the labels are.
    """
    path = find_table(benchmark.directory(), f"{_FILES[split]}_hg38_coords_targets")
    coordinates, labels, targets = _read(path)  # (N, 3), (N, K)
    genome = Genome(benchmark.genome_of(""))
    contigs = _contigs(coordinates[:, 0], genome, path)
    starts, ends = _windows(coordinates[:, 1], coordinates[:, 2], benchmark.length)
    sequences = Regions(
        genomes=(genome,),
        source=np.zeros(len(starts), dtype=np.int64),
        contigs=contigs,
        starts=starts,
        ends=ends,
    )
    _check_overlap(sequences, genome, path)
    _LOG.info("%s: %d of %d windows padded with N", path, sequences.count_padded(), len(starts))
    ids = [f"{c}:{s}-{e}" for c, s, e in zip(contigs, starts, ends, strict=True)]
    return LabelledSet(ids, sequences, ends - starts, labels, targets, "multi")


def _read(path: Path) -> tuple[NDArray[np.int64], NDArray[np.uint8], tuple[str, ...]]:
    """Return (N, 3) chromosome number, start and end; (N, K) labels; and the K target names."""
    coordinates, labels = [], []
    targets: list[str] = []
    # In parts: as text, the full table (2.2 million windows, 919 targets) is many times its labels.
    for part in read_table_in_parts(path, ("Chr_No", "Start", "End")):
        targets = [column for column in part.columns if column.startswith("y_")]
        if not targets:
            raise InputError(f"{path}: no column begins with 'y_', so there is nothing to predict")
        columns = [integers(part, column, path=path) for column in ("Chr_No", "Start", "End")]
        coordinates.append(np.stack(columns, axis=1))
        labels.append(_labels(part[targets], path))
    names = tuple(target.removeprefix("y_") for target in targets)
    return np.concatenate(coordinates), np.concatenate(labels), names


def _labels(part: "pd.DataFrame", path: Path) -> NDArray[np.uint8]:
    """Return (N, K) of 0 and 1; any other value is an InputError."""
    import pandas as pd

    # A single word makes strings of a whole column.
    numbers = part.apply(pd.to_numeric, errors="coerce")
    allowed = numbers.isin([0, 1]).to_numpy()
    if not allowed.all():
        row, column = np.argwhere(~allowed)[0]
        raise InputError(
            f"{path}, line {part.index[row] + 2}: {part.columns[column]} is "
            f"{part.iat[row, column]!s}; 0 or 1 is allowed"
        )
    labels: NDArray[np.uint8] = numbers.to_numpy(dtype=np.uint8)
    return labels


def _contigs(numbers: NDArray[np.int64], genome: Genome, path: Path) -> NDArray[np.object_]:
    """Return (N,) contig names of zero-based chromosome numbers."""
    wrong = (numbers < 0) | (numbers >= len(_CHROMOSOMES))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{path}, line {row + 2}: Chr_No is {numbers[row]}; 0 (chr1) to 23 (chrY) are allowed"
        )
    absent = [name for name in _CHROMOSOMES[np.unique(numbers)] if name not in genome.contigs]
    if absent:
        raise InputError(
            f"{path}: {absent[0]} is not in the genome, which has "
            f"{', '.join(list(genome.contigs)[:5])}"
        )
    named: NDArray[np.object_] = _CHROMOSOMES[numbers]
    return named


def _windows(
    starts: NDArray[np.int64], ends: NDArray[np.int64], length: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and ends of windows of `length` about the same centres."""
    if length is None:
        return starts, ends
    first = (starts + ends) // 2 - length // 2
    return first, first + length


def _check_overlap(windows: Regions, genome: Genome, path: Path) -> None:
    """Refuse a window that holds no base of its chromosome: the assembly is another one."""
    limits = np.array([genome.contigs[contig] for contig in windows.contigs])
    wrong = (windows.ends <= windows.starts) | (windows.ends <= 0) | (windows.starts >= limits)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{path}, line {row + 2}: window {windows.contigs[row]}:{windows.starts[row]}-"
            f"{windows.ends[row]} lies off the chromosome ({limits[row]} bases in the genome)"
        )
