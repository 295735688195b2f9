"""Baselines: what class frequencies, length and composition give away."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hyenadna.data.labelled import LabelledSet
from hyenadna.files import read_json
from hyenadna.tasks import baselines
from hyenadna.tasks.baselines import by_length, majority
from hyenadna.tasks.kmers import KmerClassifier, kmer_features
from hyenadna.tasks.metrics import METRICS, score
from hyenadna.tasks.splits import load_splits


def labelled(sequences: list[str], labels, kind="single") -> LabelledSet:
    labels = np.asarray(labels, dtype=np.int64 if kind == "single" else np.uint8)
    count = labels.max() + 1 if kind == "single" else labels.shape[1]
    lengths = np.array([len(sequence) for sequence in sequences])
    classes = tuple("abcdefgh"[:count])
    ids = [f"s{row}" for row in range(len(sequences))]
    return LabelledSet(ids, sequences, lengths, labels, classes, kind)


@pytest.fixture(scope="module")
def written(intervals_benchmark, tmp_path_factory):
    return baselines(intervals_benchmark, out=tmp_path_factory.mktemp("out") / "baselines")


def test_metrics_are_those_of_the_predictions_written_beside_them(
    written, intervals_benchmark, read_metrics
):
    predictions = pd.read_parquet(written / "predictions.parquet")
    expected = {}
    for method, of in predictions.groupby("method"):
        assert len(of) == 80
        labels = (of["label"] == "rich").to_numpy().astype(int)
        values = score(labels, of[["score_poor", "score_rich"]].to_numpy(), "single")
        expected |= {f"{method}.{name}": value for name, value in values.items()}
    assert read_metrics(written, "test") == pytest.approx(expected, rel=1e-6)
    assert set(predictions["method"]) == {"majority", "length", "kmer"}


def test_composition_is_enough_for_the_k_mers_and_not_for_the_others(written, read_metrics):
    metrics = read_metrics(written, "test")
    assert metrics["kmer.accuracy"] > 0.95
    assert metrics["majority.accuracy"] == metrics["length.accuracy"] == 0.5


def test_the_run_says_what_it_was(written):
    run = read_json(written / "run.json")
    assert (run["stage"], run["metric"], run["kind"]) == ("baselines", "accuracy", "single")
    assert run["classes"] == ["poor", "rich"]
    assert run["counts"] == {"train": 216, "valid": 24, "test": 80}


def test_baselines_are_the_same_each_time(written, intervals_benchmark, tmp_path):
    again = baselines(intervals_benchmark, out=tmp_path / "again")
    for name in ("metrics.tsv", "predictions.parquet"):
        assert (again / name).read_bytes() == (written / name).read_bytes()


def test_a_finished_run_is_left_as_it_is(written, intervals_benchmark):
    before = (written / "run.json").stat().st_mtime_ns
    assert baselines(intervals_benchmark, out=written) == written
    assert (written / "run.json").stat().st_mtime_ns == before


def test_targets_of_a_profile_are_scored_one_by_one(chromatin_benchmark, tmp_path, read_metrics):
    out = baselines(chromatin_benchmark, out=tmp_path)
    metrics = read_metrics(out, "test")
    assert set(metrics) == {
        f"{m}.{n}" for m in ("majority", "length", "kmer") for n in METRICS["multi"]
    }
    assert metrics["majority.auroc"] == 0.5
    assert metrics["kmer.auroc"] > 0.6
    predictions = pd.read_parquet(out / "predictions.parquet")
    assert {"id", "label_many_c", "score_many_c", "label_noise", "score_noise", "method"} == set(
        predictions
    )


def test_shuffled_labels_score_at_chance(intervals_benchmark):
    splits = load_splits(intervals_benchmark, validation_fraction=0.2, seed=0)
    rng = np.random.default_rng(0)
    shuffled = {
        name: replace(items, labels=rng.permutation(items.labels)) for name, items in splits.items()
    }
    chosen = KmerClassifier.choose(shuffled["train"], shuffled["valid"], metric="accuracy")
    for scores in (
        chosen.score(shuffled["test"]),
        by_length(shuffled["train"], shuffled["test"]),
    ):
        # Two standard errors of 80 coin tosses.
        assert abs(score(shuffled["test"].labels, scores, "single")["accuracy"] - 0.5) < 0.12


def test_the_majority_is_that_of_train():
    train, test = labelled(["A"] * 4, [1, 1, 0, 1]), labelled(["A"] * 2, [0, 1])
    assert majority(train, test).tolist() == [[0.25, 0.75]] * 2


def test_length_tells_classes_that_differ_in_it():
    lengths = np.random.default_rng(0).integers(50, 150, size=400)
    items = labelled(["A" * length for length in lengths], lengths > 100)
    scores = by_length(items.take(np.arange(300)), items.take(np.arange(300, 400)))
    assert score(items.labels[300:], scores, "single")["accuracy"] > 0.9


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
    scores = KmerClassifier.fit(kmer_features(sequences, 4), items, k=4, c=1.0).score(items)
    assert scores.shape == (40, 3)
    assert (scores[:, 1] == 0).all()
    assert (scores[:, 2] == 1).all()


def test_a_single_target_is_scored_too():
    items = labelled(["ACGT" * 9, "TTGA" * 9] * 5, np.array([[0], [1]] * 5), kind="multi")
    scores = KmerClassifier.fit(kmer_features(items.sequences, 4), items, k=4, c=10.0).score(items)
    assert scores.shape == (10, 1)
    assert scores[1, 0] > 0.5 > scores[0, 0]
