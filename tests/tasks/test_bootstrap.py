"""The headline metric under resamples: as scikit-learn has it, and the same for all methods."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk

from hyenadna.data.labelled import LabelledSet
from hyenadna.files import read_json
from hyenadna.tasks import baselines, bootstrap, evaluate, finetune
from hyenadna.tasks.bootstrap import counts_of, write_bootstrap
from hyenadna.tasks.metrics import METRICS, score
from hyenadna.tasks.resampled import resampled

CASES = [(kind, metric) for kind, metrics in METRICS.items() for metric in metrics]


def items_of(labels, kind, *, classes=None, groups=None) -> LabelledSet:
    count = len(labels)
    ids = [str(number) for number in range(count)]
    names = tuple("abcdefgh"[: classes or labels.shape[1]])
    return LabelledSet(ids, ["ACGT"] * count, np.full(count, 4), labels, names, kind, groups=groups)


def example(kind: str, count: int = 60) -> tuple[LabelledSet, np.ndarray]:
    """Items with three classes, targets or numbers, and scores that know of them, with ties."""
    rng = np.random.default_rng(7)
    if kind == "single":
        labels = rng.choice(3, count, p=[0.8, 0.15, 0.05])
        logits = 2 * np.eye(3)[labels] + rng.integers(0, 4, (count, 3))
        scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return items_of(labels, kind, classes=3), scores.astype(np.float32)
    if kind == "multi":
        labels = (rng.random((count, 3)) < (0.5, 0.2, 0.03)).astype(np.uint8)
        scores = rng.integers(0, 9, (count, 3)) / 8 + labels
        return items_of(labels, kind, groups=("TF", "HM", "TF")), scores
    labels = (1e4 + rng.integers(0, 9, (count, 3))).astype(np.float32)
    return items_of(labels, kind), labels + rng.normal(0, 3, labels.shape).round()


def draws(count: int, resamples: int) -> np.ndarray:
    return np.stack([counts_of(count, row) for row in range(resamples)]).astype(np.uint8)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_a_resample_scores_what_its_items_score(kind, metric):
    items, scores = example(kind)
    counts = draws(len(items), 40)
    expected = [
        score(items.labels[rows], scores[rows], kind, groups=items.groups)
        for rows in (np.repeat(np.arange(len(items)), of) for of in counts)
    ]
    for name, values in resampled(items, scores, metric, counts).items():
        assert values == pytest.approx([of[name] for of in expected], rel=1e-9, nan_ok=True)


def test_two_classes_are_scored_by_the_second():
    rng = np.random.default_rng(0)
    labels, second = rng.integers(0, 2, 80), rng.random(80).round(1)
    items, scores = items_of(labels, "single", classes=2), np.stack([1 - second, second], axis=1)
    counts = draws(80, 5)
    for metric, reference in (("auroc", sk.roc_auc_score), ("auprc", sk.average_precision_score)):
        expected = [reference(labels, second, sample_weight=of) for of in counts]
        assert resampled(items, scores, metric, counts)[metric] == pytest.approx(expected)


def test_counts_of_items_weigh_them_as_scikit_learn_does():
    items, scores = example("multi", 300)
    counts = draws(300, 5)
    expected = [
        sk.roc_auc_score(items.labels, scores, average="macro", sample_weight=of) for of in counts
    ]
    assert resampled(items, scores, "auroc", counts)["auroc"] == pytest.approx(expected)


def test_a_resample_has_as_many_items_and_hangs_on_their_number_and_its_own_alone():
    counts = draws(500, 300)
    assert set(counts.sum(axis=1)) == {500}
    assert len(np.unique(counts, axis=0)) == 300


def test_resamples_are_those_of_earlier_versions():
    assert counts_of(20, 3).tolist() == [1, 1, 1, 0, 1, 0, 2, 2, 1, 0, 1, 1, 0, 0, 0, 0, 1, 1, 3, 4]


def test_items_are_drawn_alike():
    counts = draws(50, 4000)
    assert counts.mean(axis=0) == pytest.approx(1, abs=0.08)  # 5 standard errors
    assert counts.var() == pytest.approx(1 - 1 / 50, abs=0.02)


def test_parts_of_the_resamples_give_what_all_give_at_once(tmp_path, monkeypatch):
    items, scores = example("multi")
    monkeypatch.setattr(bootstrap, "RESAMPLES", 60)
    splits = {"test": (items, {"": scores})}
    write_bootstrap(tmp_path / "whole.tsv", splits, metric="auroc_median")
    monkeypatch.setattr(bootstrap, "_COUNTED", 7 * len(items))
    monkeypatch.setattr("hyenadna.tasks.resampled._SWEPT", 3 * len(items))
    write_bootstrap(tmp_path / "parts.tsv", splits, metric="auroc_median")
    assert (tmp_path / "parts.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_medians_are_written_by_group_too(tmp_path):
    items, scores = example("multi")
    write_bootstrap(tmp_path / "b.tsv", {"test": (items, {"": scores})}, metric="auprc_median")
    table = pd.read_csv(tmp_path / "b.tsv", sep="\t")
    assert set(table["name"]) == {"auprc_median", "auprc_median.TF", "auprc_median.HM"}


@pytest.mark.parametrize(("allowed", "made"), [(1.0, 1000), (0.2, 200), (0.01, 0)])
def test_a_split_past_the_budget_has_fewer_resamples_or_none_and_says_so(
    tmp_path, monkeypatch, allowed, made
):
    items, scores = example("multi")
    monkeypatch.setattr(bootstrap, "BUDGET", int(allowed * 1000 * len(items) * 3))
    said = write_bootstrap(tmp_path / "b.tsv", {"test": (items, {"": scores})}, metric="auroc")
    assert said["resamples"] == {"test": made}
    assert len(pd.read_csv(tmp_path / "b.tsv", sep="\t")) == made


def test_a_split_without_items_has_no_resamples(tmp_path):
    items, scores = example("single")
    none = items.take(np.arange(0)), {"": scores[:0]}
    said = write_bootstrap(tmp_path / "b.tsv", {"test_clean": none}, metric="accuracy")
    assert said["resamples"] == {"test_clean": 0}
    assert (tmp_path / "b.tsv").read_text() == "split\treplicate\tname\tvalue\n"


def test_other_items_have_another_digest(tmp_path):
    items, scores = example("single")
    others = replace(items, labels=(items.labels + 1) % 3)
    splits = {"a": (items, {"": scores}), "b": (items, {"": -scores}), "c": (others, {"": scores})}
    digests = write_bootstrap(tmp_path / "b.tsv", splits, metric="mcc")["items"]
    assert digests["a"] == digests["b"] != digests["c"]


@pytest.fixture(scope="module")
def runs(intervals_benchmark, tiny_recipe, tiny_model, tmp_path_factory):
    """A network in training, the same evaluated again, and the baselines beside it."""
    root = tmp_path_factory.mktemp("runs")
    tuned = finetune(
        intervals_benchmark, tiny_recipe, weights=None, model=tiny_model, out=root / "tuned", seed=0
    )
    return {
        "tuned": tuned,
        "again": evaluate(intervals_benchmark, weights=tuned, out=root / "again"),
        "baselines": baselines(intervals_benchmark, out=root / "baselines"),
    }


def test_training_and_baselines_resample_the_same_items(runs):
    said = {name: read_json(out / "run.json")["bootstrap"] for name, out in runs.items()}
    assert said["tuned"] == said["baselines"]
    assert said["tuned"]["items"]["test"] == said["again"]["items"]["test"]
    assert said["tuned"]["resamples"] == {"test": 1000, "test_clean": 1000}


def test_resamples_lie_about_the_score(runs, read_metrics):
    for name, out in runs.items():
        table = pd.read_csv(out / "bootstrap.tsv", sep="\t")
        assert list(table.columns) == ["split", "replicate", "name", "value"]
        metrics = read_metrics(out, "test")
        for metric, of in table[table["split"] == "test"].groupby("name"):
            p = metrics[metric]
            assert list(of["replicate"]) == list(range(1000)), name
            assert of["value"].mean() == pytest.approx(p, abs=0.01)
            assert of["value"].std() == pytest.approx((p * (1 - p) / 80) ** 0.5, rel=0.1, abs=1e-9)


def test_evaluating_again_gives_the_same_resamples(runs):
    of_test = [
        [line for line in (runs[name] / "bootstrap.tsv").open() if line.startswith("test\t")]
        for name in ("tuned", "again")
    ]
    assert of_test[0] == of_test[1]
