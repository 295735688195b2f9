"""Tables of windows by coordinates: names of their files, of their contigs, and how one is written.

`{train,val,test}_<assembly>_coords_targets.csv.gz` or .csv, as HyenaDNA names them. Columns Start,
End, one `y_<target>` per target, and Chr_No (0 is chr1, 22 chrX, 23 chrY) or chrom, a name.
N windows, K targets.
"""

import gzip
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import table_stems
from hyenadna.errors import InputError
from hyenadna.files import atomic_write

CHROMOSOMES = tuple(f"chr{name}" for name in (*range(1, 23), "X", "Y"))
"""Contigs that column Chr_No can name, by number."""
NAME_COLUMN, NUMBER_COLUMN = "chrom", "Chr_No"
FILE_SPLITS = {"train": "train", "valid": "val", "test": "test"}
"""What each split is called in the name of its file."""

_STEM = re.compile(r"(train|val|test)_([\w.-]+)_coords_targets")
_UCSC_ASSEMBLIES = ("hg19", "hg38")


def table_stem(split: str, assembly: str) -> str:
    """Return the name of the table of a split, without its suffix."""
    stem = f"{FILE_SPLITS[split]}_{assembly}_coords_targets"
    if not _STEM.fullmatch(stem):
        raise InputError(f"assembly {assembly!r}: letters, digits and any of _.- make its name")
    return stem


def find_assembly(directory: Path, genome: str) -> str:
    """Return the assembly whose tables go with a genome.

    It is one in which every split that the folder has is there; if the genome is called after
    an assembly, it is that one.

    Args:
        directory: folder of tables.
        genome: name of the genome, such as hg38.

    Raises:
        InputError: there is no such assembly, or more than one.
    """
    by_split: dict[str, set[str]] = {}
    for match in filter(None, map(_STEM.fullmatch, table_stems(directory))):
        by_split.setdefault(match[1], set()).add(match[2])
    if not by_split:
        raise InputError(
            f"{directory}: no table is called {{train,val,test}}_<assembly>_coords_targets.csv.gz"
        )
    found = sorted(set.intersection(*by_split.values()))
    if genome in found:
        return genome
    there = "; ".join(f"{split} in {', '.join(sorted(of))}" for split, of in by_split.items())
    if genome in _UCSC_ASSEMBLIES:
        raise InputError(
            f"{directory}: {there}, but not all of them in {genome}, as the genome is called; "
            "`hyenadna lift` takes a table to another assembly"
        )
    if len(found) != 1:
        raise InputError(
            f"{directory}: {there}; keep the tables of one assembly, that of genome {genome!r}, "
            "or call the genome's folder after one of them"
        )
    return found[0]


def find_contig_column(columns: Collection[str], path: Path) -> str:
    """Return the one of columns chrom and Chr_No that a table has."""
    found = [column for column in (NAME_COLUMN, NUMBER_COLUMN) if column in columns]
    if len(found) != 1:
        raise InputError(
            f"{path}: {'both columns' if found else 'no column'} 'chrom' and 'Chr_No'; "
            "one of them is needed"
        )
    return found[0]


@contextmanager
def write_csv(path: Path) -> Iterator[IO[bytes]]:
    """Open a CSV to write atomically, gzipped if its name ends in .gz; same rows, same bytes."""
    with atomic_write(path) as part, part.open("wb") as plain:
        if path.suffix != ".gz":
            yield plain
            return
        # Level 9, the default, takes 7 times as long for a fifth less.
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=plain, mtime=0) as packed:
            yield cast(IO[bytes], packed)


def format_labels(labels: NDArray[np.uint8]) -> list[bytes]:
    """Return the N rows of (N, K) labels, 0 or 1, each cell behind its comma."""
    cells = np.empty((labels.shape[0], 2 * labels.shape[1]), dtype=np.uint8)
    cells[:, ::2] = ord(",")
    cells[:, 1::2] = labels + ord("0")
    rows: list[bytes] = cells.view(f"S{cells.shape[1]}")[:, 0].tolist()
    return rows
