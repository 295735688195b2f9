"""Trivial classifiers beside every result: majority, length only, k-mer composition.

All are fitted to the train items that fine-tuning sees with the same split, scored once on the
same test items, and deterministic.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet
from hyenadna.tasks.base import Benchmark
from hyenadna.tasks.kmers import LENGTHS, PENALTIES, KmerClassifier
from hyenadna.tasks.metrics import score
from hyenadna.tasks.predictions import write_predictions
from hyenadna.tasks.splits import checksums, load_splits
from hyenadna.training.run import Identity, Run

VALIDATION_FRACTION = 0.1
"""Share of train that chooses k and penalty, where the family has no validation split."""
MAX_TRAIN_ITEMS = 20_000
"""Train items that the classifiers are fitted to; composition needs no more."""
MIN_LEAF = 20
"""Train items of similar length from which class frequencies are taken."""

_log = logging.getLogger(__name__)


def baselines(benchmark: Benchmark, *, out: Path) -> Path:
    """Score the baselines on the test split and return `out`.

    Writes `metrics.tsv` (step 0, split test, names `<method>.<metric>`), `predictions.parquet`
    with a column `method`, and `run.json`.
    """
    identity = Identity(
        stage="baselines",
        seed=0,
        settings={
            "benchmark": benchmark.identity(),
            "validation_fraction": VALIDATION_FRACTION,
            "max_train_items": MAX_TRAIN_ITEMS,
            "min_leaf": MIN_LEAF,
            "kmer_lengths": list(LENGTHS),
            "kmer_penalties": list(PENALTIES),
        },
        data=checksums(benchmark),
        benchmark=benchmark.name,
    )
    with Run(out, identity, device=torch.device("cpu")) as run:
        if not run.finished:
            _evaluate(benchmark, run)
    return out


def _evaluate(benchmark: Benchmark, run: Run) -> None:
    splits = load_splits(benchmark, validation_fraction=VALIDATION_FRACTION, seed=0)
    train, test = _capped(splits["train"]), splits["test"]
    kmers = KmerClassifier.choose(train, splits["valid"], metric=benchmark.metric)
    _log.info("k-mer baseline: k %d, inverse penalty %g", kmers.k, kmers.c)
    scores = {
        "majority": majority(train, test),
        "length": by_length(train, test),
        "kmer": kmers.score(test),
    }
    for method, of in scores.items():
        values = score(test.labels, of, test.kind)
        run.log(0, "test", {f"{method}.{name}": value for name, value in values.items()})
    write_predictions(run.staging / "predictions.parquet", test, scores)
    run.publish(
        metric=benchmark.metric,
        kind=test.kind,
        classes=list(test.classes),
        counts={name: len(items) for name, items in splits.items()},
        parameters={"train_items": len(train), "kmer_k": kmers.k, "kmer_c": kmers.c},
    )


def majority(train: LabelledSet, test: LabelledSet) -> NDArray[np.float64]:
    """Return the class or target frequencies of `train` for every item of `test`, (N, C)."""
    return np.tile(_targets(train).mean(axis=0), (len(test), 1))


def by_length(train: LabelledSet, test: LabelledSet) -> NDArray[np.float64]:
    """Return the frequencies among train items of similar length, (N, C).

    A regression tree of the targets on the length in nucleotides, which splits by Gini impurity.
    A leaf has at least `MIN_LEAF` items, fewer if there are not 400.
    """
    from sklearn.tree import DecisionTreeRegressor

    leaf = min(MIN_LEAF, 1 + len(train) // 20)
    tree = DecisionTreeRegressor(min_samples_leaf=leaf, random_state=0)
    tree.fit(train.lengths[:, None], _targets(train))
    return np.asarray(tree.predict(test.lengths[:, None])).reshape(len(test), len(train.classes))


def _targets(items: LabelledSet) -> NDArray[Any]:
    """Return labels as (N, C) of 0 and 1."""
    one_hot: NDArray[Any] = items.labels[:, None] == np.arange(len(items.classes))
    return one_hot if items.kind == "single" else items.labels


def _capped(train: LabelledSet) -> LabelledSet:
    if len(train) <= MAX_TRAIN_ITEMS:
        return train
    _log.info("baselines are fitted to %d of %d train items", MAX_TRAIN_ITEMS, len(train))
    return train.hold_out(MAX_TRAIN_ITEMS / len(train), seed=0)[1]
