"""Coordinate look-up: what the place of an item gives away."""

import numpy as np
import pytest
from labelled_sets import located, published

from hyenadna.tasks.lookup import look_up


def look(train, targets, test):
    targets = np.asarray(targets)
    return look_up(located(train).regions, targets, located(test).regions).tolist()


def test_the_item_that_shares_most_bases_gives_its_targets():
    train = [("chr1", 0, 100), ("chr1", 90, 200), ("chr1", 500, 600)]
    test = [("chr1", 80, 120), ("chr1", 50, 95), ("chr1", 599, 700)]
    assert look(train, [[1, 0], [0, 1], [1, 1]], test) == [[0, 1], [1, 0], [1, 1]]


def test_a_long_item_that_began_early_is_found():
    train = [("chr1", 0, 10_000), *(("chr1", start, start + 10) for start in range(0, 9000, 20))]
    test = [("chr1", 9_500, 9_600), ("chr1", 8_985, 8_996)]
    assert look(train, [[1], *[[0]] * 450], test) == [[1], [1]]


def test_items_that_share_as_much_give_their_mean():
    train = [("chr1", 0, 100), ("chr1", 0, 100), ("chr1", 0, 100), ("chr1", 0, 50)]
    assert look(train, [[1.0], [0.0], [3.5], [100.0]], [("chr1", 20, 100)]) == [[1.5]]


def test_what_touches_nothing_gets_the_mean_of_train_items_that_touch_nothing():
    crowd = [("chr1", 0, 100), ("chr1", 99, 120), ("chr1", 30, 40)]
    alone = [("chr1", 120, 130), ("chr2", 0, 100), ("chr2", 100, 110), ("chr3", 5, 6)]
    targets = [[1]] * 3 + [[0]] * 3 + [[1]]
    test = [("chr1", 130, 140), ("chr2", 500, 600), ("chr9", 5, 6)]
    assert look(crowd + alone, targets, test) == [[0.25]] * 3


def test_where_every_train_item_touches_another_that_is_the_mean_of_all():
    train = [("chr1", 0, 10), ("chr1", 5, 15), ("chr1", 0, 20)]
    assert look(train, [[1], [1], [4]], [("chr2", 0, 10)]) == [[2]]


def test_many_pairs_are_looked_up_in_parts(monkeypatch):
    rng = np.random.default_rng(0)
    train = [("chr1", int(s), int(s) + 50) for s in rng.integers(0, 500, 80)]
    test = [("chr1", int(s), int(s) + 30) for s in rng.integers(0, 1000, 60)]
    targets = rng.random((80, 3))
    whole = look(train, targets, test)
    monkeypatch.setattr("hyenadna.tasks.lookup._PAIRS", 100)
    assert look(train, targets, test) == whole


@pytest.mark.parametrize(
    ("name", "accuracy"),
    [
        ("human_enhancers_ensembl", 0.875),
        ("human_nontata_promoters", 0.997),
        ("human_enhancers_cohn", 0.507),
    ],
)
def test_places_alone_tell_the_classes_of_published_splits(shared_data, name, accuracy):
    train, test = (published(shared_data, name, split) for split in ("train", "test"))
    targets = train.labels[:, None] == np.arange(len(train.classes))
    found = look_up(train.regions, targets, test.regions).argmax(axis=1)
    assert (found == test.labels).mean() == pytest.approx(accuracy, abs=5e-4)
