"""Family nucleotide_transformer: sequences with a label, as CSV or as FASTA.

`data/train.csv.gz` and `data/test.csv.gz` with columns sequence and label; or one FASTA file each
with `train` and `test` in its name, the label behind the last '|' of the header or else its last
character.
"""

from pathlib import Path

import numpy as np

from hyenadna.data.labelled import LabelledSet, check_nucleotides, read_fasta, read_table
from hyenadna.errors import InputError
from hyenadna.tasks.base import Benchmark, Split

HAS_VALIDATION = False
_SUFFIXES = tuple(
    suffix + zipped for suffix in (".csv", ".fasta", ".fa", ".fna") for zipped in ("", ".gz")
)


def load(benchmark: Benchmark, split: Split) -> LabelledSet:
    """Read one split; classes are those of train, in numeric or else alphabetical order."""
    directory = benchmark.directory()
    classes = _sorted_classes({label for _, _, label in _read(_find(directory, "train"))})
    if len(classes) < 2:
        raise InputError(f"{directory}: train has one label, {classes[0]!r}; two are needed")
    path = _find(directory, split)
    items = _read(path)
    numbers = {label: number for number, label in enumerate(classes)}
    strange = next((label for _, _, label in items if label not in numbers), None)
    if strange is not None:
        raise InputError(f"{path}: label {strange!r} is not in train, which has {classes}")
    sequences = [sequence for _, sequence, _ in items]
    return LabelledSet(
        ids=[name for name, _, _ in items],
        sequences=sequences,
        lengths=np.array([len(sequence) for sequence in sequences], dtype=np.int64),
        labels=np.array([numbers[label] for _, _, label in items], dtype=np.int64),
        classes=tuple(classes),
        kind="single",
    )


def _sorted_classes(labels: set[str]) -> list[str]:
    if all(label.isdecimal() for label in labels):
        return sorted(labels, key=int)
    return sorted(labels)


def _find(directory: Path, split: str) -> Path:
    found = sorted(
        path
        for path in directory.iterdir()
        if split in path.name.lower() and path.name.endswith(_SUFFIXES)
    )
    if len(found) != 1:
        problem = f"{found[0].name} and {found[1].name}; keep one" if found else "none"
        raise InputError(f"{directory}: one {split} file (.csv or .fasta) is expected: {problem}")
    return found[0]


def _read(path: Path) -> list[tuple[str, str, str]]:
    """Return (id, upper-case sequence, label) of each item."""
    if ".csv" in path.suffixes:
        return _read_csv(path)
    items = []
    for record in read_fasta(path):
        _, bar, label = record.header.rpartition("|")
        label = label.strip() if bar else record.header[-1]
        items.append((record.header.split()[0], record.sequence.upper(), label))
    return items


def _read_csv(path: Path) -> list[tuple[str, str, str]]:
    table = read_table(path, ("sequence", "label"))
    items = []
    for row, (sequence, label) in enumerate(zip(table["sequence"], table["label"], strict=True)):
        check_nucleotides(sequence, f"{path}, line {row + 2}")
        if not label:
            raise InputError(f"{path}, line {row + 2}: the label is empty")
        items.append((str(row), sequence.upper(), label))
    return items
