"""What a classifier makes of one split, written down (N items, C classes or targets)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyenadna.data.labelled import Kind, LabelledSet
from hyenadna.files import atomic_write
from hyenadna.tasks.bootstrap import BOOTSTRAP, write_bootstrap
from hyenadna.tasks.details import write_details
from hyenadna.tasks.metrics import score
from hyenadna.tasks.predictions import prediction_table
from hyenadna.training.run import Run


def predicted(outputs: Tensor, kind: Kind) -> NDArray[Any]:
    """Return (N, C) fp32: probabilities of logits, and numbers as they are."""
    activation = {"single": lambda of: of.softmax(dim=1), "multi": torch.sigmoid}
    array: NDArray[Any] = activation.get(kind, lambda of: of)(outputs).numpy()
    return array


def log_scores(run: Run, step: int, split: str, items: LabelledSet, scores: NDArray[Any]) -> None:
    """Log how many items a split has and, if it has any, the metrics of scores (N, C)."""
    values: dict[str, float] = {"items": len(items)}
    if len(items):
        values |= score(items.labels, scores, items.kind, groups=items.groups)
    run.log(step, split, values)


def write_outcome(
    run: Run,
    items: LabelledSet,
    scores: NDArray[Any],
    *,
    metric: str,
    split: str = "test",
    leaked: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Write predictions, confusion, curves, targets and resamples; return entries of `run.json`.

    Args:
        run: where they go.
        items: N.
        scores: (N, C).
        metric: the headline, which is computed under resamples of the items.
        split: of the items.
        leaked: (N,) whether training has seen an item, if that is known.
    """
    table = prediction_table(items, scores)
    if leaked is not None:
        table = table.assign(leaked=leaked)
    with atomic_write(run.staging / "predictions.parquet") as part:
        table.to_parquet(part, index=False)
    write_details(run.staging, items, scores)
    splits, entries = {split: (items, {"": scores})}, dict[str, Any]()
    if leaked is not None:
        clean = np.flatnonzero(~leaked)
        splits[f"{split}_clean"] = items.take(clean), {"": scores[clean]}
        entries["leaked"] = int(leaked.sum())
    entries["bootstrap"] = write_bootstrap(run.staging / BOOTSTRAP, splits, metric=metric)
    return entries
