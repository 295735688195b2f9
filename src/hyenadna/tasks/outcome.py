"""What a classifier makes of one split, written down (N items, C classes or targets)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyenadna.data.labelled import Kind, LabelledSet
from hyenadna.files import atomic_write
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
    run: Run, items: LabelledSet, scores: NDArray[Any], leaked: NDArray[np.bool_] | None = None
) -> None:
    """Write predictions, confusion, curves and targets.

    Args:
        run: where they go.
        items: N.
        scores: (N, C).
        leaked: (N,) whether training has seen an item, if that is known.
    """
    table = prediction_table(items, scores)
    if leaked is not None:
        table = table.assign(leaked=leaked)
    with atomic_write(run.staging / "predictions.parquet") as part:
        table.to_parquet(part, index=False)
    write_details(run.staging, items, scores)
