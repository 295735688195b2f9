"""Family nucleotide_transformer: sequences with a label, as CSV or as FASTA.

`data/train.csv.gz` and `data/test.csv.gz` with columns sequence and label; or one FASTA file each
with `train` and `test` in its name, the label behind the last '|' of the header or else its last
character. A third file is the validation split if a word of its name is valid, validation, val
or dev.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hyenadna.data.labelled import LabelledSet, read_fasta
from hyenadna.errors import InputError
from hyenadna.tasks.base import Benchmark, Split
from hyenadna.tasks.labelled_tables import number_labels, read_sequences, sort_classes

if TYPE_CHECKING:
    import pandas as pd

_SUFFIXES = tuple(
    suffix + zipped for suffix in (".csv", ".fasta", ".fa", ".fna") for zipped in ("", ".gz")
)
_NAMES = {
    "train": re.compile("train"),
    "valid": re.compile("(?<![a-z])(valid|validation|val|dev)(?![a-z])"),
    "test": re.compile("test"),
}


def load(benchmark: Benchmark, split: Split) -> LabelledSet:
    """Read one split; classes are those of train, in numeric or else alphabetical order."""
    directory = benchmark.directory()
    train = _read(_find(directory, "train"))
    classes = sort_classes(train["label"], source=directory)
    path = _find(directory, split)
    table = train if split == "train" else _read(path)
    return LabelledSet(
        ids=table["id"].tolist(),
        sequences=table["sequence"].tolist(),
        lengths=np.array(table["sequence"].str.len(), dtype=np.int64),
        labels=number_labels(table["label"], classes, source=path),
        classes=classes,
        kind="single",
    )


def has_validation(benchmark: Benchmark) -> bool:
    """Return whether there is a file for the validation split."""
    return bool(_named(benchmark.directory(), "valid"))


def _named(directory: Path, split: Split) -> list[Path]:
    """Return the files that are a split's by their names."""
    return sorted(
        path
        for path in directory.iterdir()
        if path.name.endswith(_SUFFIXES) and _NAMES[split].search(path.name.lower())
    )


def _find(directory: Path, split: Split) -> Path:
    found = _named(directory, split)
    if len(found) != 1:
        problem = f"{found[0].name} and {found[1].name}; keep one" if found else "none"
        raise InputError(f"{directory}: one {split} file (.csv or .fasta) is expected: {problem}")
    return found[0]


def _read(path: Path) -> "pd.DataFrame":
    """Return columns id, sequence (upper case) and label of each item."""
    import pandas as pd

    if ".csv" in path.suffixes:
        table = read_sequences(path)
        return table.assign(id=table.index.astype(str))
    items = []
    for record in read_fasta(path):
        _, bar, label = record.header.rpartition("|")
        label = label.strip() if bar else record.header[-1]
        if not label:
            raise InputError(f"{path}, line {record.line}: no label behind the last '|'")
        items.append((record.header.split()[0], record.sequence.upper(), label))
    return pd.DataFrame(items, columns=["id", "sequence", "label"])
