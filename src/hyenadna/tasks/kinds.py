"""What the labels of a user's file are for: classes, binary targets, or numbers to predict.

N items, K targets.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import Kind
from hyenadna.data.tables import Items, to_numbers
from hyenadna.errors import InputError

MOST_NUMBERED_CLASSES = 20
"""Whole numbers with more distinct values than this are quantities, not names of classes."""


class Task(NamedTuple):
    """What the labels are."""

    kind: Kind
    classes: tuple[str, ...]
    """Classes in numeric or else alphabetical order, or targets in the order of the file."""
    reason: str = ""
    """Why it is of that kind, where labels are numbers and could be of an other."""


def infer(train: Items, kind: Kind | None) -> Task:
    """Return what the labels of train items are for.

    One column `label`: words are classes; whole numbers are classes up to
    `MOST_NUMBERED_CLASSES` of them; other numbers are to be predicted. Several columns: binary
    targets if all are 0 or 1, else numbers.

    Args:
        train: items with labels as written.
        kind: what the user says it is, or None.

    Raises:
        InputError: words among numbers, values that `kind` cannot have, or nothing to tell apart.
    """
    if train.targets:
        return _infer_of_columns(train, kind)
    reason = ""
    if kind is None:
        kind, reason = _infer_of_words(train)
    if kind != "single":
        return _check_variety(train, Task(kind, ("label",), reason))
    classes = _sort_classes(train.labels)
    if len(classes) < 2:
        raise InputError(
            f"{train.path}: all {len(train)} train items have label {classes[0]!r}; two classes "
            "are needed"
        )
    return Task(kind, classes, reason)


def encode(items: Items, task: Task) -> NDArray[Any]:
    """Return labels as a LabelledSet has them: (N,) int64, (N, K) uint8 or (N, K) fp32.

    Raises:
        InputError: a class or target is not among those of the task, or a value is not allowed.
    """
    if task.kind == "single":
        return _class_numbers(items, task.classes)
    numbers = _numbers(items, task)
    wrong = ~np.isin(numbers, (0, 1)) if task.kind == "multi" else ~np.isfinite(numbers)
    if wrong.any():
        row, column = (int(index) for index in np.argwhere(wrong)[0])
        written = numbers[row, column] if items.targets else items.labels[row]
        name = f"target {task.classes[column]}" if items.targets else "label"
        allowed = "0 or 1" if task.kind == "multi" else "a number"
        raise InputError(
            f"{items.where(row)}: {name} is {str(written)!r}; {allowed} is allowed for kind "
            f"{task.kind}"
        )
    return numbers.astype(np.uint8 if task.kind == "multi" else np.float32)


def _infer_of_columns(train: Items, kind: Kind | None) -> Task:
    if kind == "single":
        raise InputError(
            f"{train.path}: kind single needs one column label, and it has "
            f"{len(train.targets)} columns of targets"
        )
    inferred: Kind = "multi" if train.labels.dtype == np.uint8 else "regression"
    return _check_variety(train, Task(kind or inferred, train.targets))


def _infer_of_words(train: Items) -> tuple[Kind, str]:
    numbers = to_numbers(train.labels)
    words = np.isnan(numbers)
    if words.all():
        return "single", ""
    if words.any():
        word, number = int(np.argmax(words)), int(np.argmin(words))
        raise InputError(
            f"{train.where(word)}: label {train.labels[word]!r} is a word and "
            f"{train.labels[number]!r} ({train.unit} {train.numbers[number]}) a number; if all are "
            "names of classes, say so by kind single"
        )
    count = len(np.unique(numbers))
    if (numbers != np.round(numbers)).any():
        return "regression", "labels are numbers with decimals (for classes, say kind single)"
    if count > MOST_NUMBERED_CLASSES:
        return "regression", (
            f"labels are {count:,} distinct whole numbers, more than {MOST_NUMBERED_CLASSES} "
            "(for classes, say kind single)"
        )
    return (
        "single",
        f"labels are {count} distinct whole numbers (for quantities, say kind regression)",
    )


def _check_variety(train: Items, task: Task) -> Task:
    """Refuse numbers that are the same for all items."""
    labels = encode(train, task)
    if (labels == labels[0]).all():
        raise InputError(
            f"{train.path}: all {len(train)} train items have the same labels; there is nothing "
            "to tell apart"
        )
    return task


def _sort_classes(labels: Iterable[str]) -> tuple[str, ...]:
    names = {_class_name(label) for label in set(labels)}
    if all(re.fullmatch(r"-?\d+", name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _class_name(label: str) -> str:
    """Return a label, without the decimals that spreadsheets add to a whole number."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", label)


def _class_numbers(items: Items, classes: tuple[str, ...]) -> NDArray[np.int64]:
    if items.targets:
        raise InputError(f"{items.path}: no column 'label', which the train items have")
    numbers = {name: number for number, name in enumerate(classes)}
    names = {label: _class_name(label) for label in set(items.labels)}
    strange = sorted(label for label, name in names.items() if name not in numbers)
    if strange:
        row = int(np.argmax(items.labels == strange[0]))
        some = ", ".join(map(repr, strange[:5]))
        known = ", ".join(classes[:8]) + ", ..." * (len(classes) > 8)
        raise InputError(f"{items.where(row)}: label {some} is not in train, which has {known}")
    return np.array([numbers[names[label]] for label in items.labels], dtype=np.int64)


def _numbers(items: Items, task: Task) -> NDArray[Any]:
    """Return (N, K) numbers, columns in the order of the task."""
    if task.classes == ("label",) and not items.targets:
        return to_numbers(items.labels)[:, None]
    if set(items.targets) != set(task.classes):
        different = sorted(set(items.targets) ^ set(task.classes))
        raise InputError(
            f"{items.path}: target {different[0]!r} is not both here and in train; columns of "
            "targets must be the same"
        )
    if items.targets == task.classes:
        return items.labels
    numbers: NDArray[Any] = items.labels[:, [items.targets.index(name) for name in task.classes]]
    return numbers
