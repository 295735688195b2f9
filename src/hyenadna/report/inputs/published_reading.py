"""Reading the tables of published scores."""

import math
from collections.abc import Iterator
from pathlib import Path

from hyenadna.report.inputs.literature import GridValue, Published, PublishedScore
from hyenadna.report.inputs.tree import Tree, number

SCORES_HEADER = [
    "benchmark", "model", "parameters", "metric", "value", "spread", "spread_is", "protocol",
    "source", "remarks",
]  # fmt: skip
GRID_HEADER = ["family", "name", "values", "source"]
PROTOCOLS_HEADER = ["family", "protocol", "meaning"]
NOT_SCORES = ("grids", "protocols")


def read(tree: Tree, folder: Path) -> Published:
    """Read every table of a folder."""
    found = Published()
    for path in sorted(folder.glob("*.tsv")):
        found.paths[path.stem] = tree.relative(path)
        if path.stem not in NOT_SCORES:
            found.scores.extend(_scores(tree, path))
    if "grids" in found.paths:
        rows = tree.rows(folder / "grids.tsv", GRID_HEADER)
        found.grid.extend(GridValue(*row) for _, row in rows)
    if "protocols" in found.paths:
        # A fourth column, which tables of others may lack, says what the protocol selects on.
        rows = tree.rows(folder / "protocols.tsv", PROTOCOLS_HEADER, exact=False)
        for _, (family, name, meaning, *selected_on) in rows:
            found.meanings[family, name] = meaning
            found.selected_on[family, name] = selected_on[0] if selected_on else ""
    return found


def _scores(tree: Tree, path: Path) -> Iterator[PublishedScore]:
    for line, row in tree.rows(path, SCORES_HEADER):
        benchmark, model, parameters, metric, value, spread_of, *words = row
        if math.isfinite(number(value)):
            numbers = number(value), number(spread_of)
            yield PublishedScore(path.stem, benchmark, model, parameters, metric, *numbers, *words)
        else:
            tree.note(path, f"line {line}: {value!r} is no number")
