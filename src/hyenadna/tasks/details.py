"""What lies behind the scores of a test split: confusion, curves, and each target by itself.

N items, C classes, K targets.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet
from hyenadna.files import atomic_write
from hyenadna.tasks.metrics import against_rest, areas

if TYPE_CHECKING:
    import pandas as pd

MOST_CURVES = 20
"""Targets of a multi-label set past which no curves are written: `targets.tsv` has their areas."""
CURVE_POINTS = 200
"""Most points of a curve, evenly spaced along it."""


def write_details(directory: Path, items: LabelledSet, scores: NDArray[np.floating[Any]]) -> None:
    """Write what there is to say of a split beyond its metrics.

    Single label: `confusion.tsv` (label, predicted, items); multi-label: `targets.tsv` (target,
    group, positives, items, auroc, auprc); both: `curves.tsv` (target, curve, x, y), which is roc
    (false and true positive rate) and pr (recall and precision).

    Args:
        directory: to write to.
        items: N items with C classes or targets.
        scores: (N, C) probabilities.
    """
    if items.kind == "single":
        _write(directory / "confusion.tsv", _confusion(items, scores))
        truth, of_classes = against_rest(items.labels, scores)
        # Of two classes, one curve says all.
        names = items.classes[-truth.shape[1] :]
        _write_curves(directory, names, truth, of_classes)
    elif items.kind == "multi":
        _write(directory / "targets.tsv", _targets(items, scores))
        if len(items.classes) <= MOST_CURVES:
            _write_curves(directory, items.classes, items.labels, scores)


def _confusion(items: LabelledSet, scores: NDArray[np.floating[Any]]) -> "pd.DataFrame":
    import pandas as pd
    from sklearn.metrics import confusion_matrix

    count = len(items.classes)
    matrix = confusion_matrix(items.labels, scores.argmax(axis=1), labels=range(count))
    names = np.array(items.classes, dtype=object)
    return pd.DataFrame(
        {
            "label": np.repeat(names, count),
            "predicted": np.tile(names, count),
            "items": matrix.ravel(),
        }
    )


def _targets(items: LabelledSet, scores: NDArray[np.floating[Any]]) -> "pd.DataFrame":
    import pandas as pd

    of = areas(items.labels, scores)
    return pd.DataFrame(
        {
            "target": items.classes,
            "group": items.groups or "",
            "positives": items.labels.sum(axis=0),
            "items": len(items),
            "auroc": of.auroc,
            "auprc": of.auprc,
        }
    )


def _write_curves(
    directory: Path,
    names: tuple[str, ...],
    truth: NDArray[Any],
    scores: NDArray[np.floating[Any]],
) -> None:
    import pandas as pd

    curves = [
        pd.DataFrame({"target": name, "curve": curve, "x": x, "y": y})
        for column, name in enumerate(names)
        for curve, x, y in _curves(truth[:, column], scores[:, column])
    ]
    columns = ["target", "curve", "x", "y"]
    _write(directory / "curves.tsv", pd.concat([pd.DataFrame(columns=columns), *curves]))


def _curves(
    truth: NDArray[Any], scores: NDArray[np.floating[Any]]
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Yield the name, x and y of both curves of one target, if it has both outcomes."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    if not 0 < truth.mean() < 1:
        return
    false_positives, true_positives, _ = roc_curve(truth, scores)
    precision, recall, _ = precision_recall_curve(truth, scores)
    for name, x, y in (("roc", false_positives, true_positives), ("pr", recall, precision)):
        kept = np.unique(np.linspace(0, len(x) - 1, CURVE_POINTS).round().astype(np.int64))
        yield name, x[kept], y[kept]


def _write(path: Path, table: "pd.DataFrame") -> None:
    with atomic_write(path) as part:
        table.to_csv(part, sep="\t", index=False, float_format="%.6g")
