"""Metrics of a split under many resamples of its items at once, each in one pass over the items.

What `metrics.score` gives of the items drawn, each as often as it was drawn. N items, C classes,
K columns (classes, targets or numbers) to score, P different scores of positive items, R resamples.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet
from hyenadna.tasks.metrics import against_rest, over_defined

Floats = NDArray[np.float64]
Counts = NDArray[np.uint8]
"""(R, N): how often each resample has each item; 255 would have a probability below 1e-500."""

_SWEPT = 1 << 20
"""Items of several resamples that are worked on at once."""
_ROUNDING = 1e-12
"""Share of the mean square below which a variance is rounding."""


def columns_of(items: LabelledSet, metric: str) -> int:
    """Return how many passes over the items one resample takes."""
    return 1 if metric in _OF_CONFUSION else len(items.classes)


def resampled(
    items: LabelledSet, scores: NDArray[np.floating[Any]], metric: str, counts: Counts
) -> dict[str, Floats]:
    """Return a metric, and if it is a median its groups, under each resample, (R,).

    Args:
        items: N.
        scores: (N, C).
        metric: any that can head a benchmark.
        counts: (R, N).
    """
    if items.kind == "regression":
        of_column = _spearman if metric == "spearman" else partial(_moments, metric=metric)
        return {metric: of_column(items.labels, scores, counts).mean(axis=1)}
    labels = items.labels
    if items.kind == "single":
        if metric in _OF_CONFUSION:
            return {metric: _of_confusion(labels, scores, counts, metric)}
        labels, scores = against_rest(labels, scores)
    found = areas(labels, scores, counts, metric.removesuffix("_median"))
    return _over_targets(found, metric, items.groups)


def _over_targets(found: Floats, metric: str, groups: tuple[str, ...] | None) -> dict[str, Floats]:
    """Return the mean or the medians of areas (R, K) over targets."""
    if not metric.endswith("_median"):
        return {metric: np.array([over_defined(np.mean, row) for row in found])}
    members = {metric: np.ones(found.shape[1], dtype=bool)} | {
        f"{metric}.{group}": np.array([of == group for of in groups or ()])
        for group in sorted(set(groups or ()))
    }
    return {
        name: np.array([over_defined(np.median, row) for row in found[:, chosen]])
        for name, chosen in members.items()
    }


def _of_confusion(
    labels: NDArray[np.int64], scores: NDArray[np.floating[Any]], counts: Counts, metric: str
) -> Floats:
    size = scores.shape[1]
    cell = labels * size + scores.argmax(axis=1)
    confusion = [np.bincount(cell, weights=row, minlength=size**2) for row in counts]
    cells: Floats = np.array(confusion, dtype=np.float64)
    return _OF_CONFUSION[metric](cells.reshape(-1, size, size))


def _accuracy(confusion: Floats) -> Floats:
    right: Floats = confusion.trace(axis1=1, axis2=2) / confusion.sum(axis=(1, 2))
    return right


def _mcc(confusion: Floats) -> Floats:
    true, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    total = true.sum(axis=1)
    shared = confusion.trace(axis1=1, axis2=2) * total - (true * predicted).sum(axis=1)
    size = np.sqrt((total**2 - (true**2).sum(axis=1)) * (total**2 - (predicted**2).sum(axis=1)))
    mcc: Floats = np.divide(shared, size, out=np.zeros_like(size), where=size > 0)
    return mcc


def _f1(confusion: Floats, *, weighted: bool) -> Floats:
    true, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    either = true + predicted
    right = confusion.diagonal(axis1=1, axis2=2)
    f1 = np.divide(2 * right, either, out=np.zeros_like(either), where=either > 0)
    weights = true if weighted else (either > 0).astype(np.float64)
    mean: Floats = (f1 * weights).sum(axis=1) / weights.sum(axis=1)
    return mean


_OF_CONFUSION: dict[str, Callable[[Floats], Floats]] = {
    "accuracy": _accuracy,
    "mcc": _mcc,
    "f1_macro": partial(_f1, weighted=False),
    "f1_weighted": partial(_f1, weighted=True),
}
"""Metrics of confusion matrices (R, C, C)."""


def areas(
    truth: NDArray[Any], scores: NDArray[np.floating[Any]], counts: Counts, area: str
) -> Floats:
    """Return auroc or auprc of each column of truth and scores (N, K) by resample, (R, K).

    NaN where a resample has positive or negative items alone.
    """
    area_of = {"auroc": _auroc, "auprc": _auprc}[area]
    found = np.full((len(counts), truth.shape[1]), np.nan)
    for column in range(truth.shape[1]):
        bins, thresholds = _bins(truth[:, column].astype(bool), scores[:, column])
        step = max(1, _SWEPT // len(truth))
        for start in range(0, len(counts) if thresholds else 0, step):
            rows = slice(start, start + step)
            sizes: Floats = np.array(
                [
                    np.bincount(bins, weights=of, minlength=3 * thresholds + 1)
                    for of in counts[rows]
                ],
                dtype=np.float64,
            )
            found[rows, column] = area_of(sizes, thresholds)
    return found


def _bins(truth: NDArray[np.bool_], scores: NDArray[np.floating[Any]]) -> tuple[Any, int]:
    """Sort items into what matters for areas: the bin of each, (N,), and the number P of scores.

    The P different scores of positive items, from the highest, part the negative ones: bin 2p has
    those between score p - 1 and p, bin 2p + 1 those at p, and bin 2P + 1 + p the positive at p.
    """
    steps = np.unique(scores[truth])
    count = len(steps)
    # From the highest: how many scores of positive items lie above, and how many above or at.
    above = count - np.searchsorted(steps, scores, side="right")
    at_or_above = count - np.searchsorted(steps, scores, side="left")
    return np.where(truth, 2 * count + 1 + above, above + at_or_above), count


def _auroc(sizes: Floats, thresholds: int) -> Floats:
    negative, positive = sizes[:, : 2 * thresholds + 1], sizes[:, 2 * thresholds + 1 :]
    passed = negative.cumsum(axis=1)
    total = passed[:, -1]
    below = total[:, None] - (passed[:, :-1:2] + passed[:, 1::2]) / 2
    return _ratio((positive * below).sum(axis=1), positive.sum(axis=1) * total)


def _auprc(sizes: Floats, thresholds: int) -> Floats:
    negative, positive = sizes[:, : 2 * thresholds + 1], sizes[:, 2 * thresholds + 1 :]
    found, passed = positive.cumsum(axis=1), negative.cumsum(axis=1)
    taken = found + passed[:, 1::2]
    precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
    both = (passed[:, -1] > 0) & (found[:, -1] > 0)
    return np.where(both, _ratio((positive * precision).sum(axis=1), found[:, -1]), np.nan)


def _moments(
    truth: NDArray[Any], predicted: NDArray[Any], counts: Counts, *, metric: str
) -> Floats:
    """Return Pearson's correlation or r2 of each column of (N, K) by resample, (R, K)."""
    # Centred, or the squares of large numbers would leave no digits.
    y, p = (of.astype(np.float64) - of.mean(axis=0, dtype=np.float64) for of in (truth, predicted))
    if metric == "r2":
        return _r2(y, truth.astype(np.float64) - predicted, counts)
    return _correlation(*(_means(of, counts) for of in (y, p, y * y, p * p, y * p)))


def _r2(y: Floats, error: Floats, counts: Counts) -> Floats:
    error = _means(error**2, counts)
    variance = _means(y * y, counts) - _means(y, counts) ** 2
    varies = variance > _ROUNDING * _means(y * y, counts)
    # As scikit-learn has it of numbers that are all the same.
    return np.where(varies, 1 - _ratio(error, np.where(varies, variance, 1)), error == 0)


def _means(of: Floats, counts: Counts) -> Floats:
    """Return means of (N, K) over each resample, (R, K)."""
    step = max(1, _SWEPT // len(of))
    sums = [counts[row : row + step].astype(np.float64) @ of for row in range(0, len(counts), step)]
    return np.concatenate(sums) / len(of)


def _correlation(x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats) -> Floats:
    """Return correlations from means; 0 where one of the two does not vary."""
    of_x, of_y = xx - x**2, yy - y**2
    varies = (of_x > _ROUNDING * xx) & (of_y > _ROUNDING * yy)
    correlation: Floats = (xy - x * y) / np.sqrt(np.where(varies, of_x * of_y, 1))
    return np.where(varies, correlation, 0)


def _spearman(truth: NDArray[Any], predicted: NDArray[Any], counts: Counts) -> Floats:
    """Return rank correlations of each column of (N, K) by resample, (R, K)."""
    found = np.empty((len(counts), truth.shape[1]))
    for column in range(truth.shape[1]):
        places = [np.unique(of[:, column], return_inverse=True)[1] for of in (truth, predicted)]
        for row, drawn in enumerate(counts):
            x, y = (_ranks(of, drawn) for of in places)
            moments = np.stack([x, y, x * x, y * y, x * y]) @ drawn / len(drawn)
            found[row, column] = _correlation(*moments[:, None])[0]
    return found


def _ranks(places: NDArray[np.int64], drawn: NDArray[np.uint8]) -> Floats:
    """Return the ranks, about their mean, of items at (N,) places in an order, each `drawn` times.

    Items at one place share the mean of their ranks.
    """
    sizes = np.bincount(places, weights=drawn)
    ranks: Floats = (np.cumsum(sizes) - sizes / 2)[places] - len(places) / 2
    return ranks


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
