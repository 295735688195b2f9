"""Family chromatin_profile: many binary targets per window, windows given by their coordinates.

`data/{train,val,test}_<assembly>_coords_targets.csv.gz` (see `data/coordinate_tables.py`) in the
assembly of the genome: nothing is lifted over here. `data/targets.tsv`, if it is there, holds the
group of each target. N windows, K targets.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.coordinate_tables import (
    CHROMOSOMES,
    NUMBER_COLUMN,
    find_assembly,
    find_contig_column,
    table_stem,
)
from hyenadna.data.labelled import (
    LabelledSet,
    Regions,
    find_table,
    integers,
    read_table_in_parts,
    table_stems,
)
from hyenadna.data.targets import find_groups
from hyenadna.errors import InputError
from hyenadna.genome import Genome
from hyenadna.tasks.base import Benchmark, Split

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)
# Few, as parsed cells are 8 bytes wide: of 919 targets, 40 MB.
_ROWS_AT_ONCE = 5_000


def has_validation(benchmark: Benchmark) -> bool:
    """Return whether the data has a table of validation windows."""
    return table_stem("valid", _assembly(benchmark)) in table_stems(benchmark.directory())


def load(benchmark: Benchmark, split: Split) -> LabelledSet:
    """Read one split; windows of `benchmark.length` (that of the table if None) about the centre.

    A window that runs off its chromosome is filled with N on that side, so that its centre stays
    where the labels are.
    """
    directory = benchmark.directory()
    path = find_table(directory, table_stem(split, _assembly(benchmark)))
    genome = Genome(benchmark.genome_of(""))
    windows, labels, targets = _read(path, genome)
    if benchmark.length is not None:
        windows = _about_centres(windows, benchmark.length)
    _check_overlap(windows, genome, path)
    _LOG.info("%s: %d of %d windows padded with N", path, windows.count_padded(), len(windows))
    bounds = zip(windows.contigs, windows.starts, windows.ends, strict=True)
    ids = [f"{contig}:{start}-{end}" for contig, start, end in bounds]
    lengths = windows.ends - windows.starts
    groups = find_groups(directory / "targets.tsv", targets)
    return LabelledSet(ids, windows, lengths, labels, targets, "multi", groups)


def _assembly(benchmark: Benchmark) -> str:
    return find_assembly(benchmark.directory(), benchmark.genome_of("").parent.name)


def _read(path: Path, genome: Genome) -> tuple[Regions, NDArray[np.uint8], tuple[str, ...]]:
    """Return N windows as the table has them; (N, K) labels; and the K target names."""
    contigs, bounds = [], []
    targets: list[str] = []
    labels = np.empty((0, 0), dtype=np.uint8)
    # In parts: as text, the full table (2.2 million windows, 919 targets) is many times its labels.
    for part in read_table_in_parts(path, ("Start", "End"), rows=_ROWS_AT_ONCE):
        targets = [column for column in part.columns if column.startswith("y_")]
        if not targets:
            raise InputError(f"{path}: no column begins with 'y_', so there is nothing to predict")
        contigs.append(_contigs(part, genome, path))
        bounds.append(np.stack([integers(part, c, path=path) for c in ("Start", "End")], axis=1))
        first = len(labels)
        # Grown in place: joined at the end, the labels would be in memory twice.
        labels.resize((first + len(part), len(targets)), refcheck=False)
        labels[first:] = _labels(part[targets], path)
    starts, ends = np.concatenate(bounds).T
    windows = Regions(
        genomes=(genome,),
        source=np.zeros(len(starts), dtype=np.int64),
        contigs=np.concatenate(contigs),
        starts=starts,
        ends=ends,
    )
    return windows, labels, tuple(target.removeprefix("y_") for target in targets)


def _labels(part: "pd.DataFrame", path: Path) -> NDArray[np.uint8]:
    """Return (N, K) of 0 and 1; any other value is an InputError."""
    import pandas as pd

    # A single word makes strings of a whole column.
    words = part.select_dtypes(exclude="number").columns
    numbers = part.assign(**{name: pd.to_numeric(part[name], errors="coerce") for name in words})
    values = numbers.to_numpy()
    allowed = (values == 0) | (values == 1)
    if not allowed.all():
        row, column = np.argwhere(~allowed)[0]
        raise InputError(
            f"{path}, line {part.index[row] + 2}: {part.columns[column]} is "
            f"{part.iat[row, column]!s}; 0 or 1 is allowed"
        )
    labels: NDArray[np.uint8] = values.astype(np.uint8)
    return labels


def _contigs(part: "pd.DataFrame", genome: Genome, path: Path) -> NDArray[np.object_]:
    """Return (N,) names of contigs, each of which the genome has."""
    column = find_contig_column(part.columns, path)
    if column == NUMBER_COLUMN:
        numbers = integers(part, column, path=path)
        wrong = (numbers < 0) | (numbers >= len(CHROMOSOMES))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"{path}, line {part.index[row] + 2}: Chr_No is {numbers[row]}; "
                "0 (chr1) to 23 (chrY) are allowed"
            )
        names = np.array(CHROMOSOMES, dtype=object)[numbers]
    else:
        # One object a name, however many windows: `unique` makes the others go.
        unique, which = np.unique(part[column].to_numpy(dtype=str), return_inverse=True)
        names = unique.astype(object)[which]
    absent = np.flatnonzero(~np.isin(names.astype(str), list(genome.contigs)))
    if len(absent):
        row = int(absent[0])
        raise InputError(
            f"{path}, line {part.index[row] + 2}: {names[row]} is not in the genome, which has "
            f"{', '.join(list(genome.contigs)[:5])}"
        )
    return names


def _about_centres(windows: Regions, length: int) -> Regions:
    """Return windows of `length` about the same centres."""
    starts = (windows.starts + windows.ends) // 2 - length // 2
    return replace(windows, starts=starts, ends=starts + length)


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
