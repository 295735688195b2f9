"""Labelled items from a user's own files, whatever their format.

N items, K targets. Coordinates are zero-based, half-open.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.formats import TARGETS, Part, read_parts
from hyenadna.data.labelled import Regions, check_nucleotides
from hyenadna.errors import InputError
from hyenadna.genome import Genome

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
"""What a split may be called, in lower case."""

_MISSING = ("", "na", "n/a", "nan", "null")
_BOOLEANS = {"true": "1", "false": "0"}


@dataclass(frozen=True)
class Items:
    """What a file says of its items, before labels become classes or targets."""

    path: Path
    unit: str
    numbers: NDArray[np.int64]
    """(N,) lines, or rows, of the file."""
    ids: list[str]
    sequences: list[str] | Regions
    lengths: NDArray[np.int64]
    """(N,) nucleotides."""
    labels: NDArray[Any]
    """(N,) words of one column `label`; or (N, K) of several, uint8 if all are 0 or 1, or fp32."""
    targets: tuple[str, ...]
    """Names of the K columns; none where there is one column `label`."""
    splits: NDArray[np.object_] | None
    """(N,) train, valid or test, if the file says so."""

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, row: int) -> str:
        """Return the file and line of an item."""
        return f"{self.path}, {self.unit} {self.numbers[row]}"

    def take(self, rows: NDArray[np.int64]) -> "Items":
        """Return the items at `rows`, in that order, free of the memory of the others."""
        sequences = self.sequences
        if isinstance(sequences, Regions):
            taken: list[str] | Regions = sequences.take(rows)
        else:
            taken = [sequences[row] for row in rows]
        return replace(
            self,
            numbers=self.numbers[rows],
            ids=[self.ids[row] for row in rows],
            sequences=taken,
            lengths=self.lengths[rows],
            labels=self.labels[rows],
            splits=None if self.splits is None else self.splits[rows],
        )


def read_items(path: Path, genome: Genome | None) -> Items:
    """Read a file, or a folder with one FASTA per class.

    Args:
        path: of a format that its name tells.
        genome: to cut items from that are given by their coordinates.

    Raises:
        InputError: the file is damaged or of no known format, or a row is not a labelled item.
    """
    found: list[Items] = []
    seen: set[tuple[str, str]] = set()
    for part in read_parts(path):
        _check_ids(part, seen)
        found.append(_items(part, genome))
    if not found:
        raise InputError(f"{path}: no rows below the header")
    return _name_apart(_join(found, path))


def read_split_names(path: Path) -> set[str]:
    """Return the splits that a file says its items belong to; none if it has no such column."""
    names: set[str] = set()
    for part in read_parts(path):
        if "split" not in part.columns:
            break
        names.update(_splits(part))
    return names


def to_numbers(words: Iterable[str]) -> NDArray[np.float64]:
    """Return (N,) numbers, NaN for words that are none; true and false are 1 and 0."""
    import pandas as pd

    texts = [_BOOLEANS.get(word.lower(), word) for word in words]
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _check_ids(part: Part, seen: set[tuple[str, str]]) -> None:
    """Refuse ids that are not unique within their class; `seen` are the earlier ones."""
    labels = part.columns.get("label", [""] * len(part.numbers))
    for row, name in enumerate(part.columns.get("id", [])):
        if not name or (labels[row], name) in seen:
            problem = f"id {name!r} was there before" if name else "the id is empty"
            raise InputError(f"{part.where(row)}: {problem}; ids must be unique within a class")
        seen.add((labels[row], name))


def _name_apart(items: Items) -> Items:
    """Put the class before ids that are unique within their class only."""
    if items.targets or len(set(items.ids)) == len(items.ids):
        return items
    names = zip(items.labels, items.ids, strict=True)
    return replace(items, ids=[f"{label}/{name}" for label, name in names])


def _items(part: Part, genome: Genome | None) -> Items:
    sequences: list[str] | Regions
    if genome is None:
        sequences = _sequences(part)
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        ids = [f"{part.path.name}:{number}" for number in part.numbers]
    else:
        sequences = _regions(part, genome)
        lengths = sequences.ends - sequences.starts
        ids = _region_ids(sequences)
    targets = () if "label" in part.columns else _targets(part)
    return Items(
        path=part.path,
        unit=part.unit,
        numbers=np.array(part.numbers, dtype=np.int64),
        ids=part.columns.get("id", ids),
        sequences=sequences,
        lengths=lengths,
        labels=_target_labels(part, targets) if targets else _words(part),
        targets=_target_names(targets),
        splits=np.array(_splits(part), dtype=object) if "split" in part.columns else None,
    )


def _sequences(part: Part) -> list[str]:
    """Return the column of sequences in upper case."""
    if "sequence" not in part.columns:
        if {"contig", "start", "end"} <= set(part.columns):
            raise InputError(
                f"{part.path}: it gives coordinates and no sequences; give the genome that they "
                "are of, an indexed FASTA (--genome)"
            )
        raise _missing_column(part, "sequence")
    for row, sequence in enumerate(part.columns["sequence"]):
        check_nucleotides(sequence, part.where(row))
    return [sequence.upper() for sequence in part.columns["sequence"]]


def _regions(part: Part, genome: Genome) -> Regions:
    for name in ("contig", "start", "end"):
        if name not in part.columns:
            raise _missing_column(part, name)
    starts, ends = _integers(part, "start"), _integers(part, "end")
    contigs, limits = part.columns["contig"], genome.contigs
    for row, (contig, start, end) in enumerate(zip(contigs, starts, ends, strict=True)):
        length = limits.get(contig)
        if length is None or not 0 <= start < end <= length:
            problem = (
                f"the genome has no such contig (it starts with {', '.join(list(limits)[:5])})"
                if length is None
                else f"empty, or not within its contig of {length} nucleotides"
            )
            raise InputError(
                f"{part.where(row)}: {contig}:{start}-{end}: {problem}; coordinates are zero-based "
                f"and half-open, in {genome.fasta}"
            )
    return Regions(
        genomes=(genome,),
        source=np.zeros(len(starts), dtype=np.int64),
        contigs=np.array(contigs, dtype=object),
        starts=starts,
        ends=ends,
        reverse=_reverse(part),
    )


def _reverse(part: Part) -> NDArray[np.bool_]:
    strands = part.columns.get("strand", ["+"] * len(part.numbers))
    for row, strand in enumerate(strands):
        if strand not in ("+", "-", ".", ""):
            raise InputError(f"{part.where(row)}: strand is {strand!r}; +, - or . is allowed")
    return np.array([strand == "-" for strand in strands])


def _region_ids(regions: Regions) -> list[str]:
    assert regions.reverse is not None
    rows = zip(regions.contigs, regions.starts, regions.ends, regions.reverse, strict=True)
    return [f"{contig}:{start}-{end}{'(-)' if flip else ''}" for contig, start, end, flip in rows]


def _integers(part: Part, name: str) -> NDArray[np.int64]:
    for row, word in enumerate(part.columns[name]):
        if not (word.isdecimal() and len(word) < 19):
            raise InputError(f"{part.where(row)}: {name} is {word!r}; a whole number is expected")
    return np.array(part.columns[name], dtype=np.int64)


def _words(part: Part) -> NDArray[np.object_]:
    """Return (N,) labels as they are written."""
    words = part.columns["label"]
    for row, word in enumerate(words):
        if word.lower() in _MISSING:
            raise _empty_label(part, row, "label", word)
    return np.array(words, dtype=object)


def _targets(part: Part) -> tuple[str, ...]:
    targets = tuple(name for name in part.columns if name.startswith(TARGETS))
    if not targets:
        raise _missing_column(part, "label")
    names = _target_names(targets)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{part.path}: two columns for target {twice!r}; keep one")
    return targets


def _target_names(targets: Sequence[str]) -> tuple[str, ...]:
    return tuple(target.partition("_")[2] for target in targets)


def _target_labels(part: Part, targets: Sequence[str]) -> NDArray[Any]:
    """Return (N, K), uint8 if all are 0 or 1, else fp32."""
    numbers = np.stack([to_numbers(part.columns[target]) for target in targets], axis=1)
    wrong = np.isnan(numbers)
    if wrong.any():
        row, column = (int(index) for index in np.argwhere(wrong)[0])
        name = targets[column]
        word = part.columns[name][row]
        if word.lower() in _MISSING:
            raise _empty_label(part, row, name, word)
        raise InputError(
            f"{part.where(row)}: {name} is {word!r}; with several label columns each holds 0 or 1, "
            "or numbers"
        )
    return numbers.astype(np.uint8 if np.isin(numbers, (0, 1)).all() else np.float32)


def _splits(part: Part) -> list[str]:
    names = []
    for row, word in enumerate(part.columns["split"]):
        name = SPLIT_NAMES.get(word.lower())
        if name is None:
            raise InputError(
                f"{part.where(row)}: split is {word!r}; train, valid (val, validation, dev) or "
                "test is allowed"
            )
        names.append(name)
    return names


def _join(found: list[Items], path: Path) -> Items:
    first = found[0]
    parts = [items.sequences for items in found]
    regions = [part for part in parts if isinstance(part, Regions)]
    sequences: list[str] | Regions
    if regions:
        sequences = Regions(
            genomes=regions[0].genomes,
            source=np.concatenate([part.source for part in regions]),
            contigs=np.concatenate([part.contigs for part in regions]),
            starts=np.concatenate([part.starts for part in regions]),
            ends=np.concatenate([part.ends for part in regions]),
            reverse=np.concatenate([part.reverse for part in regions if part.reverse is not None]),
        )
    else:
        sequences = [part[row] for part in parts for row in range(len(part))]
    return replace(
        first,
        path=path,
        numbers=np.concatenate([items.numbers for items in found]),
        ids=list(chain.from_iterable(items.ids for items in found)),
        sequences=sequences,
        lengths=np.concatenate([items.lengths for items in found]),
        labels=np.concatenate([items.labels for items in found]),
        splits=(
            None
            if first.splits is None
            else np.concatenate([items.splits for items in found if items.splits is not None])
        ),
    )


def _empty_label(part: Part, row: int, column: str, word: str) -> InputError:
    return InputError(
        f"{part.where(row)}: {column} is empty{f' ({word})' * bool(word)}; give it a value, or "
        "leave the row out"
    )


def _missing_column(part: Part, name: str) -> InputError:
    also = " (or several, label_<target>)" if name == "label" else ""
    has = ", ".join(part.header[:8]) + ", ..." * (len(part.header) > 8)
    return InputError(f"{part.path}: no column {name!r}{also}; its columns are {has}")
