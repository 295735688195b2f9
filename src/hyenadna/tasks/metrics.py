"""Scores of a whole split by scikit-learn, never averaged over batches.

N items, C classes, K targets.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import Kind

METRICS: dict[Kind, tuple[str, ...]] = {
    "single": ("accuracy", "mcc", "f1_macro", "f1_weighted", "auroc", "auprc"),
    "multi": ("auroc", "auprc", "auroc_median", "auprc_median"),
    "regression": ("pearson", "spearman", "r2"),
}
"""What may head a benchmark: higher is better in all."""


class Areas(NamedTuple):
    """Areas under the curves of K targets, NaN where a target lacks one of the two outcomes."""

    auroc: NDArray[np.float64]
    """(K,)."""
    auprc: NDArray[np.float64]
    """(K,)."""


def score(
    labels: NDArray[Any],
    scores: NDArray[np.floating[Any]],
    kind: Kind,
    *,
    groups: Sequence[str] | None = None,
) -> dict[str, float]:
    """Return every metric of one split, in [0, 1] but for correlations and r2, which end at 1.

    Single label: accuracy, mcc, f1_macro, f1_weighted; auroc and auprc are those of the second
    class if there are two, else macro means of one class against the rest. Multi-label: means and
    medians over targets, medians also by group. Classes and targets without both a positive and a
    negative item are left out of these; NaN if none is left. Regression: pearson, spearman, r2 and
    the mean squared error mse, as means over targets; a target or a prediction that does not vary
    has correlation 0.

    Args:
        labels: (N,) class indices, or (N, K) of 0 and 1, or (N, K) numbers.
        scores: (N, C) probabilities of the classes, (N, K) of the targets, or (N, K) numbers.
        kind: which of the three.
        groups: of each of the K targets.
    """
    if kind == "regression":
        return _regression(labels.astype(np.float64), scores.astype(np.float64))
    if kind == "multi":
        return _multi(areas(labels, scores), groups)
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    predicted = scores.argmax(axis=1)
    of_classes = areas(*against_rest(labels, scores))
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        # Of one class alone, where it is 0 and scikit-learn warns.
        "mcc": float(matthews_corrcoef(labels, predicted)) if len(set(labels)) > 1 else 0.0,
        "f1_macro": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "f1_weighted": float(f1_score(labels, predicted, average="weighted", zero_division=0)),
        "auroc": over_defined(np.mean, of_classes.auroc),
        "auprc": over_defined(np.mean, of_classes.auprc),
    }


def against_rest(
    labels: NDArray[np.int64], scores: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.bool_], NDArray[np.floating[Any]]]:
    """Return truth and scores, (N, K), of each class against the rest; of two, the second alone.

    Args:
        labels: (N,) class indices.
        scores: (N, C).
    """
    truth: NDArray[np.bool_] = labels[:, None] == np.arange(scores.shape[1])
    first = 1 if scores.shape[1] == 2 else 0
    return truth[:, first:], scores[:, first:]


def areas(truth: NDArray[Any], scores: NDArray[np.floating[Any]]) -> Areas:
    """Return ROC and precision-recall areas of each column of truth and scores, (N, K)."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    found = Areas(*(np.full(truth.shape[1], np.nan) for _ in Areas._fields))
    for column in range(truth.shape[1]):
        if 0 < truth[:, column].mean() < 1:
            found.auroc[column] = roc_auc_score(truth[:, column], scores[:, column])
            found.auprc[column] = average_precision_score(truth[:, column], scores[:, column])
    return found


def _multi(of: Areas, groups: Sequence[str] | None) -> dict[str, float]:
    values = {}
    for name, column in of._asdict().items():
        values[name] = over_defined(np.mean, column)
        values[f"{name}_median"] = over_defined(np.median, column)
        for group in sorted(set(groups or ())):
            members = np.array([of_target == group for of_target in groups or ()])
            values[f"{name}_median.{group}"] = over_defined(np.median, column[members])
    return values


def _regression(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, float]:
    from scipy.stats import rankdata
    from sklearn.metrics import mean_squared_error, r2_score

    ranks = [np.apply_along_axis(rankdata, 0, values) for values in (truth, predicted)]
    return {
        "pearson": _correlation(truth, predicted),
        "spearman": _correlation(*ranks),
        "r2": float(r2_score(truth, predicted)) if len(truth) > 1 else float("nan"),
        "mse": float(mean_squared_error(truth, predicted)),
    }


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the mean over columns of Pearson's correlation of (N, K) and (N, K)."""
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    size = np.sqrt((one**2).sum(axis=0) * (other**2).sum(axis=0))
    return float(np.mean((one * other).sum(axis=0) / np.where(size > 0, size, 1)))


def over_defined(summary: Any, values: NDArray[np.float64]) -> float:
    """Return the mean or median of those values that are not NaN, NaN without any."""
    defined = values[~np.isnan(values)]
    return float(summary(defined)) if len(defined) else float("nan")
