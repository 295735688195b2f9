"""CSV tables of sequences with a label each, which two families of benchmarks publish.

N items.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import check_nucleotides, read_table
from hyenadna.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def read_sequences(path: Path) -> "pd.DataFrame":
    """Read a CSV of strings; column sequence in upper case, column label with the class's name.

    The name is that of column label_name if there is one, and else of column label.

    Raises:
        InputError: the file is no such table, or a row lacks a label or nucleotides.
    """
    table = read_table(path, ("sequence",))
    named = "label_name" if "label_name" in table.columns else "label"
    if named not in table.columns:
        raise InputError(
            f"{path}: no column 'label'; its header has {', '.join(map(str, table.columns[:8]))}"
        )
    table["label"] = table[named]
    for row, (sequence, label) in enumerate(zip(table["sequence"], table["label"], strict=True)):
        check_nucleotides(sequence, f"{path}, line {row + 2}")
        if not label:
            raise InputError(f"{path}, line {row + 2}: the label is empty")
    table["sequence"] = table["sequence"].str.upper()
    return table


def sort_classes(labels: Iterable[str], *, source: Path) -> tuple[str, ...]:
    """Return the classes among the labels of train, in numeric or else alphabetical order."""
    classes = set(labels)
    if len(classes) < 2:
        raise InputError(f"{source}: train has one label, {min(classes)!r}; two are needed")
    numeric = all(label.isdecimal() for label in classes)
    return tuple(sorted(classes, key=int) if numeric else sorted(classes))


def number_labels(
    labels: Iterable[str], classes: tuple[str, ...], *, source: Path
) -> NDArray[np.int64]:
    """Return (N,) indices into `classes`; a label that is none of them is an InputError."""
    numbers = {label: number for number, label in enumerate(classes)}
    labels = list(labels)
    strange = next((label for label in labels if label not in numbers), None)
    if strange is not None:
        raise InputError(f"{source}: label {strange!r} is not in train, which has {list(classes)}")
    return np.array([numbers[label] for label in labels], dtype=np.int64)
