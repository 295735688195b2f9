"""What labels are for is inferred by a stated rule, and can be said."""

import re
from pathlib import Path

import numpy as np
import pytest

from hyenadna.data.tables import Items
from hyenadna.errors import InputError
from hyenadna.tasks.kinds import MOST_NUMBERED_CLASSES, encode, infer


def items_of(labels: list[str] | np.ndarray, *targets: str) -> Items:
    count = len(labels)
    return Items(
        path=Path("x.csv"),
        unit="line",
        numbers=np.arange(2, 2 + count),
        ids=[str(row) for row in range(count)],
        sequences=["A"] * count,
        lengths=np.ones(count, dtype=np.int64),
        labels=np.array(labels) if targets else np.array(labels, dtype=object),
        targets=targets,
        splits=None,
    )


@pytest.mark.parametrize(
    ("labels", "kind", "classes"),
    [
        (["b", "a", "B", "a"], "single", ("B", "a", "b")),
        (["10", "9", "2", "9"], "single", ("2", "9", "10")),
        (["1.0", "-1", "1"], "single", ("-1", "1")),
        (["0.0", "0.5", "1.0"], "regression", ("label",)),
        (["1e-3", "2", "7"], "regression", ("label",)),
        ([str(i) for i in range(MOST_NUMBERED_CLASSES)], "single", None),
        ([str(i) for i in range(MOST_NUMBERED_CLASSES + 1)], "regression", ("label",)),
        ([f"c{i}" for i in range(99)], "single", None),
    ],
)
def test_one_column_is_classes_or_numbers(labels, kind, classes):
    task = infer(items_of(labels), None)
    assert task.kind == kind
    assert task.classes == (classes or tuple(labels if labels[0] == "0" else sorted(labels)))


def test_classes_are_numbered_in_their_order():
    items = items_of(["10", "9", "2.0", "9"])
    labels = encode(items, infer(items, None))
    assert (labels.tolist(), labels.dtype) == ([2, 1, 0, 1], np.int64)


def test_several_columns_are_targets_or_numbers():
    binary = items_of(np.array([[0, 1], [1, 1]], dtype=np.uint8), "x", "y")
    real = items_of(np.array([[0, 1], [0.5, 1]], dtype=np.float32), "x", "y")
    assert infer(binary, None)[:2] == ("multi", ("x", "y"))
    assert infer(real, None)[:2] == ("regression", ("x", "y"))
    assert encode(binary, infer(binary, None)).dtype == np.uint8
    assert encode(binary, infer(binary, "regression")).dtype == np.float32


@pytest.mark.parametrize(
    ("kind", "dtype", "labels"),
    [
        ("single", np.int64, [0, 1, 1]),
        ("multi", np.uint8, [[0], [1], [1]]),
        ("regression", np.float32, [[0], [1], [1]]),
    ],
)
def test_the_kind_can_be_said(kind, dtype, labels):
    items = items_of(["0", "1", "1"])
    encoded = encode(items, infer(items, kind))
    assert (encoded.tolist(), encoded.dtype) == (labels, dtype)


def test_doubtful_numbers_are_explained():
    assert (
        "2 distinct whole numbers (for quantities, say kind regression)"
        in infer(items_of(["0", "1"]), None).reason
    )
    assert "decimals (for classes, say kind single)" in infer(items_of(["0.5", "1"]), None).reason
    many = infer(items_of([str(i) for i in range(30)]), None)
    assert many.reason.startswith("labels are 30 distinct whole numbers, more than 20 (for classes")
    assert infer(items_of(["a", "b"]), None).reason == ""


def test_targets_come_in_the_order_of_train():
    train = items_of(np.array([[0, 1], [1, 1]], dtype=np.uint8), "x", "y")
    test = items_of(np.array([[1, 0]], dtype=np.uint8), "y", "x")
    assert encode(test, infer(train, None)).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("labels", "kind", "complaint"),
    [
        (["1", "X", "2"], None, "line 3: label 'X' is a word and '1' (line 2) a number; if all"),
        (["a", "a"], None, "x.csv: all 2 train items have label 'a'; two classes are needed"),
        (["1", "1.0"], None, "x.csv: all 2 train items have label '1'"),
        (["0.5", "0.5"], None, "all 2 train items have the same labels"),
        (["0.5", "b"], "regression", "line 3: label is 'b'; a number is allowed"),
        (["0", "2"], "multi", "line 3: label is '2'; 0 or 1 is allowed for kind multi"),
    ],
)
def test_labels_that_make_no_task_are_refused(labels, kind, complaint):
    with pytest.raises(InputError, match=re.escape(complaint)):
        infer(items_of(labels), kind)


def test_a_kind_that_columns_cannot_have_is_refused():
    real = items_of(np.array([[0, 1], [0.5, 1]], dtype=np.float32), "x", "y")
    with pytest.raises(InputError, match=r"line 3: target x is '0.5'; 0 or 1 is allowed"):
        infer(real, "multi")
    with pytest.raises(InputError, match="kind single needs one column label, and it has 2"):
        infer(real, "single")


def test_classes_and_targets_that_train_has_not_are_named():
    single = infer(items_of(["a", "b"]), None)
    with pytest.raises(InputError, match=r"line 3: label 'c', 'd' is not in train, which has a, b"):
        encode(items_of(["a", "c", "d"]), single)
    multi = infer(items_of(np.array([[0, 1], [1, 1]], dtype=np.uint8), "x", "y"), None)
    with pytest.raises(InputError, match="target 'z' is not both here and in train"):
        encode(items_of(np.array([[0, 1, 1]], dtype=np.uint8), "x", "y", "z"), multi)
    with pytest.raises(InputError, match="no column 'label', which the train items have"):
        encode(items_of(np.array([[0, 1]], dtype=np.uint8), "x", "y"), single)
