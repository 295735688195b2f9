"""Family genomic_benchmarks: a table of genomic intervals per class, in the published layout.

`data/{train,test}/<class>.csv.gz`, columns id, region, start, end, strand; zero-based, half-open;
an empty strand is the forward one. Lengths are kept as they are.
"""

from typing import TYPE_CHECKING

import numpy as np

from hyenadna.data.labelled import (
    LabelledSet,
    Regions,
    find_table,
    integers,
    read_table,
    table_stems,
)
from hyenadna.errors import InputError
from hyenadna.genome import Genome
from hyenadna.tasks.base import Benchmark, Split

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

HAS_VALIDATION = False
_COLUMNS = ("id", "region", "start", "end", "strand")


def load(benchmark: Benchmark, split: Split) -> LabelledSet:
    """Read one split; class i is the i-th name in alphabetical order, in train and test alike."""
    classes = _classes(benchmark)
    genomes = {label: Genome(benchmark.genome_of(label)) for label in classes}
    tables = [_read_class(benchmark, split, label, genomes[label]) for label in classes]
    sizes = [len(table) for table in tables]
    labels = np.repeat(np.arange(len(classes)), sizes)
    starts = np.concatenate([table["start"].to_numpy(dtype=np.int64) for table in tables])
    ends = np.concatenate([table["end"].to_numpy(dtype=np.int64) for table in tables])
    sequences = Regions(
        genomes=tuple(genomes.values()),
        source=labels,
        contigs=np.concatenate([table["region"].to_numpy(dtype=object) for table in tables]),
        starts=starts,
        ends=ends,
        reverse=np.concatenate([(table["strand"] == "-").to_numpy(dtype=bool) for table in tables]),
    )
    ids = [
        f"{label}/{name}"
        for label, table in zip(classes, tables, strict=True)
        for name in table["id"]
    ]
    return LabelledSet(ids, sequences, ends - starts, labels, tuple(classes), "single")


def _classes(benchmark: Benchmark) -> list[str]:
    train, test = (table_stems(benchmark.directory() / split) for split in ("train", "test"))
    if train != test or len(train) < 2:
        raise InputError(
            f"{benchmark.data}: train has classes {', '.join(train) or 'none'} and test has "
            f"{', '.join(test) or 'none'}; both need the same two or more tables"
        )
    return train


def _read_class(benchmark: Benchmark, split: Split, label: str, genome: Genome) -> "pd.DataFrame":
    """Return the checked table of one class, start and end as integers."""
    path = find_table(benchmark.directory() / split, label)
    table = read_table(path, _COLUMNS)
    table["start"] = integers(table, "start", path=path)
    table["end"] = integers(table, "end", path=path)
    _check(table, path, genome)
    return table


def _check(table: "pd.DataFrame", path: "Path", genome: Genome) -> None:
    """Refuse the first row that cannot be cut from the genome."""
    lengths = table["region"].map(genome.contigs)
    problems = {
        "the genome has no such region": lengths.isna(),
        "the interval is empty or off its region": ~(
            (table["start"] >= 0) & (table["start"] < table["end"]) & (table["end"] <= lengths)
        ),
        "strand must be '+', '-' or empty": ~table["strand"].isin(["+", "-", ""]),
    }
    for problem, wrong in problems.items():
        if wrong.any():
            row = int(np.argmax(wrong.to_numpy()))
            where = "{region}:{start}-{end}({strand})".format(**table.iloc[row])
            raise InputError(
                f"{path}, line {row + 2}: {where}: {problem}; "
                "intervals and genome must be of one assembly"
            )
