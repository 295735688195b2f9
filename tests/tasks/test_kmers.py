"""Linear models of k-mers."""

import numpy as np
import pytest
from labelled_sets import labelled

from hyenadna.tasks.kmers import KmerModel, kmer_features
from hyenadna.tasks.metrics import score


def test_kmer_features_are_square_roots_of_frequencies():
    features = kmer_features(["AACAACN", "ttt", "NNACNGT", "G"], 2).toarray()
    aa, ac, ca, gt, tt = 0, 1, 4, 11, 15
    assert features[0, [aa, ac, ca]] == pytest.approx(np.sqrt([0.4, 0.4, 0.2]))
    assert features[1, tt] == 1
    assert features[2, [ac, gt]] == pytest.approx(np.sqrt([0.5, 0.5]))
    assert not features[3].any()
    assert (features**2).sum(axis=1).tolist() == pytest.approx([1, 1, 1, 0])


def test_kmer_features_do_not_tell_length():
    short, long = kmer_features(["ACGTACGTA", "ACGTACGTA" + "CGTA" * 50], 2).toarray()
    assert np.corrcoef(short, long)[0, 1] > 0.99


def test_a_target_with_one_outcome_gets_its_rate():
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGT"), 30)) for _ in range(40)]
    labels = np.stack([rng.integers(0, 2, 40), np.zeros(40), np.ones(40)], axis=1)
    items = labelled(sequences, labels, kind="multi")
    scores = KmerModel.fit(kmer_features(sequences, 4), items, k=4, c=1.0).score(items)
    assert scores.shape == (40, 3)
    assert (scores[:, 1] == 0).all()
    assert (scores[:, 2] == 1).all()


def test_a_single_target_is_scored_too():
    items = labelled(["ACGT" * 9, "TTGA" * 9] * 5, np.array([[0], [1]] * 5), kind="multi")
    scores = KmerModel.fit(kmer_features(items.sequences, 4), items, k=4, c=10.0).score(items)
    assert scores.shape == (10, 1)
    assert scores[1, 0] > 0.5 > scores[0, 0]


def test_sequences_are_counted_alike_alone_and_in_parts_of_any_size(monkeypatch):
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGTN"), length)) for length in (50, 0, 3, 700, 2, 90)]
    whole = kmer_features(sequences, 3).toarray()
    alone = [kmer_features([sequence], 3).toarray()[0] for sequence in sequences]
    np.testing.assert_array_equal(whole, alone)
    monkeypatch.setattr("hyenadna.tasks.kmers._BASES", 60)
    np.testing.assert_array_equal(kmer_features(sequences, 3).toarray(), whole)


def test_numbers_that_follow_composition_are_predicted():
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.1, 0.9, size=300)
    sequences = ["".join(rng.choice(list("AC"), 200, p=[1 - share, share])) for share in shares]
    numbers = np.stack([1000 + 50 * shares, -shares], axis=1)
    items = labelled(sequences, numbers, kind="regression")
    rows = np.arange(300)
    train, valid, test = (items.take(rows[start::3]) for start in range(3))
    chosen = KmerModel.choose(train, valid, metric="r2")
    found = chosen.score(test)
    assert found.shape == (100, 2)
    assert score(test.labels, found, "regression")["r2"] > 0.9
