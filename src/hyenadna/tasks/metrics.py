"""Scores of a whole split by scikit-learn, never averaged over batches.

N items, C classes, K targets.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import Kind

METRICS: dict[Kind, tuple[str, ...]] = {
    "single": ("accuracy", "mcc", "f1_macro", "f1_weighted", "auroc", "auprc"),
    "multi": ("auroc", "auprc", "auroc_median"),
}
"""Names that `score` returns."""


def score(labels: NDArray[Any], scores: NDArray[np.floating[Any]], kind: Kind) -> dict[str, float]:
    """Return every metric of one split, in [0, 1] but for mcc in [-1, 1].

    Single label: accuracy, mcc, f1_macro, f1_weighted; auroc and auprc are those of the second
    class if there are two, else macro means of one class against the rest. Multi-label: auroc and
    auprc as means over targets, and auroc_median. Classes and targets without both a positive and
    a negative item are left out of the means; NaN if none is left.

    Args:
        labels: (N,) class indices, or (N, K) of 0 and 1.
        scores: (N, C) probabilities of the classes, or (N, K) of the targets.
        kind: which of the two.
    """
    if kind == "multi":
        aurocs, auprcs = _areas(labels, scores)
        return {
            "auroc": _mean(aurocs),
            "auprc": _mean(auprcs),
            "auroc_median": float(np.median(aurocs)) if aurocs else float("nan"),
        }
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    predicted = scores.argmax(axis=1)
    one_hot = labels[:, None] == np.arange(scores.shape[1])
    first = 1 if scores.shape[1] == 2 else 0
    aurocs, auprcs = _areas(one_hot[:, first:], scores[:, first:])
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "mcc": float(matthews_corrcoef(labels, predicted)),
        "f1_macro": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "f1_weighted": float(f1_score(labels, predicted, average="weighted", zero_division=0)),
        "auroc": _mean(aurocs),
        "auprc": _mean(auprcs),
    }


def _areas(
    truth: NDArray[Any], scores: NDArray[np.floating[Any]]
) -> tuple[list[float], list[float]]:
    """Return ROC and precision-recall areas of the columns that have both outcomes."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    both = [column for column in range(truth.shape[1]) if 0 < truth[:, column].mean() < 1]
    return (
        [float(roc_auc_score(truth[:, column], scores[:, column])) for column in both],
        [float(average_precision_score(truth[:, column], scores[:, column])) for column in both],
    )


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
