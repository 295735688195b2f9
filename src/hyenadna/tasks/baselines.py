"""Trivial classifiers beside every result: class frequencies, length, share of N, k-mers, place.

All are fitted to the train items that fine-tuning sees with the same split, scored once on the
same test items, and deterministic. N items, C classes or targets.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet
from hyenadna.files import atomic_write
from hyenadna.tasks.base import Benchmark
from hyenadna.tasks.bootstrap import BOOTSTRAP, write_bootstrap
from hyenadna.tasks.kmers import LENGTHS, PENALTIES, KmerModel
from hyenadna.tasks.leaks import find_leaks, leak_table
from hyenadna.tasks.lookup import look_up
from hyenadna.tasks.metrics import score
from hyenadna.tasks.predictions import write_predictions
from hyenadna.tasks.splits import checksums, load_splits
from hyenadna.tokenizer import NUCLEOTIDES, encode
from hyenadna.training.run import Identity, Run

VALIDATION_FRACTION = 0.1
"""Share of train that chooses k and penalty, where the family has no validation split."""
MAX_TRAIN_ITEMS = 20_000
"""Train items that all but the look-up are fitted to; composition needs no more."""
MIN_LEAF = 20
"""Train items of similar length, or share of N, from which class frequencies are taken."""
METHODS = ("majority", "length", "unknown", "kmer", "lookup")
"""What is scored; lookup only where the places of the items are known."""

_log = logging.getLogger(__name__)


def baselines(benchmark: Benchmark, *, out: Path) -> Path:
    """Score the baselines on the test split and return `out`.

    Writes `metrics.tsv` (step 0; names `<method>.<metric>` and `items`; split test, and test_clean
    without the items that leaked from train or valid), `bootstrap.tsv` (see `write_bootstrap`),
    `leaks.tsv` (see `leak_table`), `predictions.parquet` with a column `method`, and `run.json`.
    """
    identity = Identity(
        stage="baselines",
        seed=0,
        settings={
            "benchmark": benchmark.identity(),
            "methods": list(METHODS),
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
    whole, valid, test = splits["train"], splits["valid"], splits["test"]
    leaks = find_leaks(whole, test) | find_leaks(valid, test)
    train = _capped(whole)
    kmers = KmerModel.choose(train, valid, metric=benchmark.metric)
    _log.info("k-mer baseline: k %d, inverse penalty %g", kmers.k, kmers.c)
    scores = {
        "majority": majority(train, test),
        "length": by_length(train, test),
        "unknown": by_unknown(train, test),
        "kmer": kmers.score(test),
    }
    if whole.regions is not None and test.regions is not None:
        scores["lookup"] = look_up(whole.regions, _targets(whole), test.regions)
    clean = np.flatnonzero(~leaks.leaked)
    of_clean = test.take(clean), {method: of[clean] for method, of in scores.items()}
    of_splits = {"test": (test, scores), "test_clean": of_clean}
    for split, (items, of) in of_splits.items():
        _log_metrics(run, split, items, of)
    written = write_bootstrap(run.staging / BOOTSTRAP, of_splits, metric=benchmark.metric)
    write_predictions(run.staging / "predictions.parquet", test, scores)
    with atomic_write(run.staging / "leaks.tsv") as part:
        leak_table(test, leaks).to_csv(part, sep="\t", index=False)
    run.publish(
        metric=benchmark.metric,
        kind=test.kind,
        classes=list(test.classes),
        counts={name: len(items) for name, items in splits.items()},
        leaked=int(leaks.leaked.sum()),
        parameters={"train_items": len(train), "kmer_k": kmers.k, "kmer_c": kmers.c},
        bootstrap=written,
    )


def _log_metrics(
    run: Run, split: str, items: LabelledSet, scores: dict[str, NDArray[np.float64]]
) -> None:
    """Write the count of items, and unless it is 0 the metrics of every method."""
    run.log(0, split, {"items": len(items)})
    for method, of in scores.items() if len(items) else ():
        values = score(items.labels, of, items.kind, groups=items.groups)
        run.log(0, split, {f"{method}.{name}": value for name, value in values.items()})


def majority(train: LabelledSet, test: LabelledSet) -> NDArray[np.float64]:
    """Return the class or target frequencies, or means, of `train` for every item, (N, C)."""
    return np.tile(_targets(train).mean(axis=0, dtype=np.float64), (len(test), 1))


def by_length(train: LabelledSet, test: LabelledSet) -> NDArray[np.float64]:
    """Return the frequencies or means among train items of similar length, (N, C)."""
    return _by_one_number(train, train.lengths, test.lengths)


def by_unknown(train: LabelledSet, test: LabelledSet) -> NDArray[np.float64]:
    """Return the same among train items with a similar share of letters but A, C, G, T, (N, C)."""
    return _by_one_number(train, _unknown(train), _unknown(test))


def _by_one_number(
    train: LabelledSet, known: NDArray[Any], asked: NDArray[Any]
) -> NDArray[np.float64]:
    """Predict targets from one number for each item by a regression tree.

    It splits by variance, which for classes is Gini impurity. A leaf has at least `MIN_LEAF`
    items, fewer if there are not 400.
    """
    from sklearn.tree import DecisionTreeRegressor

    leaf = min(MIN_LEAF, 1 + len(train) // 20)
    tree = DecisionTreeRegressor(min_samples_leaf=leaf, random_state=0)
    tree.fit(known[:, None], _targets(train))
    return np.asarray(tree.predict(asked[:, None])).reshape(len(asked), len(train.classes))


def _unknown(items: LabelledSet) -> NDArray[np.float64]:
    """Return the share of letters other than A, C, G, T, (N,)."""
    shares = (
        np.isin(encode(items.sequences[row]), NUCLEOTIDES, invert=True).mean()
        for row in range(len(items))
    )
    return np.fromiter(shares, dtype=np.float64, count=len(items))


def _targets(items: LabelledSet) -> NDArray[Any]:
    """Return labels as (N, C): classes as 0 and 1, all else as it is."""
    one_hot: NDArray[Any] = items.labels[:, None] == np.arange(len(items.classes))
    return one_hot if items.kind == "single" else items.labels


def _capped(train: LabelledSet) -> LabelledSet:
    if len(train) <= MAX_TRAIN_ITEMS:
        return train
    _log.info("baselines are fitted to %d of %d train items", MAX_TRAIN_ITEMS, len(train))
    return train.hold_out(MAX_TRAIN_ITEMS / len(train), seed=0)[1]
