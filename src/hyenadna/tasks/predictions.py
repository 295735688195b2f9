"""What a classifier said of each item, as a table."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import LabelledSet
from hyenadna.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd


def prediction_table(items: LabelledSet, scores: NDArray[np.floating[Any]]) -> "pd.DataFrame":
    """Return one row per item.

    Single label: id, label, predicted and `score_<class>`; else id, `label_<target>` and
    `score_<target>`.

    Args:
        items: N items with C classes or targets.
        scores: (N, C) probabilities, or the numbers predicted.
    """
    import pandas as pd

    columns: dict[str, Any] = {"id": items.ids}
    if items.kind == "single":
        names = np.array(items.classes, dtype=object)
        columns["label"] = names[items.labels]
        columns["predicted"] = names[scores.argmax(axis=1)]
    else:
        for target, name in enumerate(items.classes):
            columns[f"label_{name}"] = items.labels[:, target]
    for target, name in enumerate(items.classes):
        columns[f"score_{name}"] = scores[:, target]
    return pd.DataFrame(columns)


def write_predictions(
    path: Path, items: LabelledSet, scores: Mapping[str, NDArray[np.floating[Any]]]
) -> None:
    """Write the tables of several methods below each other, with a column `method` more."""
    import pandas as pd

    tables = [prediction_table(items, of).assign(method=method) for method, of in scores.items()]
    with atomic_write(path) as part:
        pd.concat(tables).to_parquet(part, index=False)
