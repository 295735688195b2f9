"""Confusion, curves and targets of a test split, against scikit-learn called directly."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk

from hyenadna.data.labelled import LabelledSet
from hyenadna.tasks.details import CURVE_POINTS, MOST_CURVES, write_details


def items_of(labels, classes, kind, groups=None) -> LabelledSet:
    count = len(labels)
    ids = [str(number) for number in range(count)]
    return LabelledSet(
        ids, ["ACGT"] * count, np.full(count, 4), labels, classes, kind, groups=groups
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def read(path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t")


def test_confusion_counts_every_pair_of_classes(tmp_path, rng):
    labels = rng.integers(0, 2, 50)
    scores = rng.random((50, 3))
    write_details(tmp_path, items_of(labels, ("a", "b", "c"), "single"), scores)
    table = read(tmp_path / "confusion.tsv")
    matrix = sk.confusion_matrix(labels, scores.argmax(axis=1), labels=[0, 1, 2])
    assert table["items"].to_numpy().reshape(3, 3).tolist() == matrix.tolist()
    assert list(table["label"]) == [*"aaabbbccc"]
    assert list(table["predicted"]) == [*"abcabcabc"]


def test_the_area_under_the_written_curves_is_that_of_the_scores(tmp_path, rng):
    labels = rng.integers(0, 2, 2_000)
    scores = rng.normal(size=2_000) + labels
    both = np.stack([-scores, scores], axis=1)
    write_details(tmp_path, items_of(labels, ("a", "b"), "single"), both)
    curves = read(tmp_path / "curves.tsv").groupby("curve")
    assert set(read(tmp_path / "curves.tsv")["target"]) == {"b"}
    areas = {name: abs(np.trapezoid(of["y"], of["x"])) for name, of in curves}
    assert all(len(of) <= CURVE_POINTS for _, of in curves)
    assert areas["roc"] == pytest.approx(sk.roc_auc_score(labels, scores), abs=0.005)
    assert areas["pr"] == pytest.approx(sk.average_precision_score(labels, scores), abs=0.005)


def test_each_target_has_a_row_with_its_group(tmp_path, rng):
    labels = (rng.random((60, 3)) < 0.4).astype(np.uint8)
    labels[:, 2] = 0
    scores = rng.random((60, 3))
    items = items_of(labels, ("x", "y", "z"), "multi", groups=("TF", "HM", "TF"))
    write_details(tmp_path, items, scores)
    table = read(tmp_path / "targets.tsv")
    assert list(table["group"]) == ["TF", "HM", "TF"]
    assert list(table["positives"]) == labels.sum(axis=0).tolist()
    assert table["auroc"][0] == pytest.approx(
        sk.roc_auc_score(labels[:, 0], scores[:, 0]), abs=1e-5
    )
    assert np.isnan(table["auroc"][2])
    assert set(read(tmp_path / "curves.tsv")["target"]) == {"x", "y"}


def test_many_targets_have_no_curves(tmp_path, rng):
    names = tuple(f"t{number}" for number in range(MOST_CURVES + 1))
    labels = (rng.random((40, len(names))) < 0.4).astype(np.uint8)
    write_details(tmp_path, items_of(labels, names, "multi"), rng.random(labels.shape))
    assert {path.name for path in tmp_path.iterdir()} == {"targets.tsv"}
