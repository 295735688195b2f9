"""Baselines: what class frequencies, length and composition give away."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from labelled_sets import labelled
from small_files import write_table

from hyenadna.files import read_json
from hyenadna.tasks import Benchmark, baselines
from hyenadna.tasks.baselines import METHODS, by_length, by_unknown, majority
from hyenadna.tasks.kmers import KmerModel
from hyenadna.tasks.metrics import METRICS, score
from hyenadna.tasks.splits import load_splits


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
    assert read_metrics(written, "test") == pytest.approx(expected | {"items": 80}, rel=1e-6)
    assert set(predictions["method"]) == set(METHODS)


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
    for name in ("metrics.tsv", "leaks.tsv", "predictions.parquet"):
        assert (again / name).read_bytes() == (written / name).read_bytes()


def test_a_finished_run_is_left_as_it_is(written, intervals_benchmark):
    before = (written / "run.json").stat().st_mtime_ns
    assert baselines(intervals_benchmark, out=written) == written
    assert (written / "run.json").stat().st_mtime_ns == before


def test_targets_of_a_profile_are_scored_one_by_one(chromatin_benchmark, tmp_path, read_metrics):
    out = baselines(chromatin_benchmark, out=tmp_path)
    metrics = read_metrics(out, "test")
    assert set(metrics) == {"items"} | {f"{m}.{n}" for m in METHODS for n in METRICS["multi"]}
    assert metrics["majority.auroc"] == 0.5
    assert metrics["kmer.auroc"] > 0.6
    predictions = pd.read_parquet(out / "predictions.parquet")
    assert {"id", "label_many_c", "score_many_c", "label_noise", "score_noise", "method"} == set(
        predictions
    )


def test_items_that_training_has_seen_are_left_out_of_the_clean_split(
    genomes, tmp_path, read_metrics
):
    """Class a in test repeats train but for two items; class b shares nothing with train."""
    rows = {
        "train/a": [("chr1", 1_000 + 40 * row, 30) for row in range(60)],
        "train/b": [("chr1", 4_000 + 40 * row, 30) for row in range(40)],
        "test/a": [
            *(("chr1", 1_029 + 40 * row, 30) for row in range(20)),
            *(("chr1", 9_000 + 40 * row, 30) for row in range(2)),
        ],
        "test/b": [("chr1", 10_000 + 40 * row, 30) for row in range(20)],
    }
    for name, places in rows.items():
        lines = [f"{i},{c},{s},{s + n},+" for i, (c, s, n) in enumerate(places)]
        write_table(tmp_path / f"data/{name}.csv.gz", "id,region,start,end,strand", *lines)
    benchmark = Benchmark(
        name="leaky",
        family="genomic_benchmarks",
        data=tmp_path / "data",
        genomes={"": genomes.fasta("rich")},
        metric="accuracy",
    )
    out = baselines(benchmark, out=tmp_path / "out")
    leaks = pd.read_csv(out / "leaks.tsv", sep="\t").set_index("label")
    assert leaks["test_items"].to_dict() == {"a": 22, "b": 20, "all": 42}
    assert leaks["leaked"].to_dict() == leaks["overlaps"].to_dict() == {"a": 20, "b": 0, "all": 20}
    metrics, clean = (read_metrics(out, split) for split in ("test", "test_clean"))
    assert (metrics["items"], clean["items"]) == (42, 22)
    assert read_json(out / "run.json")["leaked"] == 20
    # Most of train is a, and so is what touches nothing.
    assert metrics["majority.accuracy"] == pytest.approx(22 / 42)
    assert clean["majority.accuracy"] == pytest.approx(2 / 22)
    assert set(clean) == set(metrics)


def test_a_test_split_that_leaked_whole_has_no_clean_metrics(tmp_path, read_metrics):
    rows = [f"{'ACGT' * 5}{'ACGT'[row % 4] * row},{row % 2}" for row in range(20)]
    for split in ("train", "test"):
        write_table(tmp_path / f"data/{split}.csv.gz", "sequence,label", *rows)
    benchmark = Benchmark(
        name="copy",
        family="nucleotide_transformer",
        data=tmp_path / "data",
        genomes={},
        metric="mcc",
    )
    out = baselines(benchmark, out=tmp_path / "out")
    assert read_metrics(out, "test_clean") == {"items": 0}
    assert "lookup.mcc" not in read_metrics(out, "test")


def test_numbers_are_predicted_too(tmp_path, read_metrics):
    rng = np.random.default_rng(0)
    for split, count in (("train", 200), ("test", 60)):
        sequences = ["".join(rng.choice(list("ACGT"), 100)) for _ in range(count)]
        rows = [f"{sequence},{3 + 0.5 * sequence.count('A')}" for sequence in sequences]
        write_table(tmp_path / f"data/{split}.csv.gz", "sequence,label", *rows)
    benchmark = Benchmark(
        name="content", family="table", data=tmp_path / "data", genomes={}, metric="pearson"
    )
    metrics = read_metrics(baselines(benchmark, out=tmp_path / "out"), "test")
    assert metrics["majority.pearson"] == pytest.approx(0, abs=1e-9)
    assert metrics["length.pearson"] == pytest.approx(0, abs=1e-9)
    assert metrics["kmer.pearson"] > 0.8


def test_shuffled_labels_score_at_chance(intervals_benchmark):
    splits = load_splits(intervals_benchmark, validation_fraction=0.2, seed=0)
    rng = np.random.default_rng(0)
    shuffled = {
        name: replace(items, labels=rng.permutation(items.labels)) for name, items in splits.items()
    }
    chosen = KmerModel.choose(shuffled["train"], shuffled["valid"], metric="accuracy")
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


def test_a_share_of_unknown_letters_tells_classes_that_differ_in_it():
    counts = np.random.default_rng(0).integers(0, 20, size=400)
    items = labelled(["aC" * (20 - n) + "NR" * n for n in counts], counts > 10)
    scores = by_unknown(items.take(np.arange(300)), items.take(np.arange(300, 400)))
    assert score(items.labels[300:], scores, "single")["accuracy"] > 0.9


def test_means_of_numbers_are_those_of_train():
    train = labelled(["A", "AC"] * 20, [[1, 10], [3, 30]] * 20, kind="regression")
    test = labelled(["AC", "A"], [[0, 0]] * 2, kind="regression")
    assert majority(train, test).tolist() == [[2, 20]] * 2
    assert by_length(train, test).tolist() == [[3, 30], [1, 10]]
