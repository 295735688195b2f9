"""Reading what lies behind the scores of runs: confusion, curves, targets, leaks, prompts."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hyenadna.report.inputs.outcomes import (
    Confusion,
    Curve,
    Curves,
    Floats,
    Leaked,
    Outcomes,
    Prompted,
    Resamples,
    Targets,
)
from hyenadna.report.inputs.results import STAGES, Run
from hyenadna.report.inputs.tree import Tree, is_count, number

CONFUSION_HEADER = ["label", "predicted", "items"]
CURVES_HEADER = ["target", "curve", "x", "y"]
TARGETS_HEADER = ["target", "group", "positives", "items", "auroc", "auprc"]
LEAKS_HEADER = ["label", "test_items", "duplicates", "overlaps", "leaked"]
PROMPTED_HEADER = ["method", "prompt_tokens", "shots", "tuning_samples", "items", "metric", "value"]

BOOTSTRAP_HEADER = ["split", "replicate", "name", "value"]

MOST_RESAMPLES = 100_000
"""Past which a number of a resample is none: it would take the memory of all before it."""

ALL_LABELS = "all"
"""Label of the row that counts leaks over every class."""


def read(tree: Tree, runs: list[Run]) -> Outcomes:
    """Read the files of those runs that the report draws."""
    shown = list(best_trained(runs).values())
    confusions = [(run, _confusion(tree, run)) for those in shown for run in those]
    curves = [(those[0], _curves(tree, those[0])) for those in shown]
    targets = [(those[0], _targets(tree, those[0])) for those in shown]
    leaks = [(run, _leaks(tree, run)) for run in runs if run.stage == "baselines"]
    prompted = [(run, list(_prompted(tree, run))) for run in runs if run.stage == "in_context"]
    compared = [run for run in runs if run.stage in (*STAGES, "baselines", "in_context")]
    resamples = [(run, _resamples(tree, run)) for run in compared]
    return Outcomes(
        confusions={run.path: found for run, found in confusions if found},
        curves={run.path: found for run, found in curves if found},
        targets={run.path: found for run, found in targets if found},
        leaks={run.subject: found for run, found in leaks if found},
        prompted={run.path: found for run, found in prompted if found},
        resamples={run.path: found for run, found in resamples if found},
    )


def best_trained(runs: list[Run]) -> dict[tuple[str, str], list[Run]]:
    """Return for each (benchmark, model) its fine-tuned runs, or else probes, or else scratch."""
    found: dict[tuple[str, str], list[Run]] = {}
    for stage in reversed(STAGES):
        of_stage: dict[tuple[str, str], list[Run]] = {}
        for run in (run for run in runs if run.stage == stage):
            of_stage.setdefault((run.subject, run.model), []).append(run)
        found = of_stage | found
    return found


def _exists(tree: Tree, run: Run, name: str, kinds: tuple[str, ...]) -> Path | None:
    """Return the path of a file, noting its absence from runs that should have written it.

    Runs from before there were such files name no protocol.
    """
    path = tree.root / run.path / name
    if path.exists():
        return path
    if run.info.protocol and run.info.kind in kinds:
        tree.note(path, "missing: what lies behind this run's scores cannot be drawn")
    return None


def _confusion(tree: Tree, run: Run) -> Confusion | None:
    path = _exists(tree, run, "confusion.tsv", ("single",))
    cells = {
        (row[0], row[1]): items
        for line, row in (tree.rows(path, CONFUSION_HEADER) if path else ())
        if math.isfinite(items := _noted(tree, path, line, row[2], least=0))
    }
    if path is None or not cells:
        return None
    labels = tuple(dict.fromkeys(label for pair in cells for label in pair))
    matrix = [[cells.get((true, predicted), 0.0) for predicted in labels] for true in labels]
    return Confusion(tree.relative(path), labels, np.array(matrix))


def _curves(tree: Tree, run: Run) -> Curves | None:
    path = _exists(tree, run, "curves.tsv", ("single",))
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for line, (target, curve, *cells) in tree.rows(path, CURVES_HEADER) if path else ():
        x, y = (_noted(tree, path, line, cell) for cell in cells)
        if math.isfinite(x) and math.isfinite(y):
            points.setdefault((target, curve), []).append((x, y))
    if path is None or not points:
        return None
    return Curves(
        tree.relative(path),
        tuple(Curve(*key, *np.array(those).T) for key, those in points.items()),
    )


def _targets(tree: Tree, run: Run) -> Targets | None:
    path = _exists(tree, run, "targets.tsv", ("multi",))
    rows = [row for _, row in tree.rows(path, TARGETS_HEADER)] if path else []
    if path is None or not rows:
        return None
    names, groups, _, _, auroc, _ = zip(*rows, strict=True)
    # An area may be empty: that of a target without a positive test item.
    return Targets(tree.relative(path), names, groups, np.array([number(cell) for cell in auroc]))


def _leaks(tree: Tree, run: Run) -> Leaked | None:
    path = tree.root / run.path / "leaks.tsv"
    if not path.exists():
        if run.metrics.names("test_clean"):
            tree.note(path, "missing: how many test items are leaked is not known")
        return None
    # The last such row: a class may bear the same name.
    found = [cells for _, (label, *cells) in tree.rows(path, LEAKS_HEADER) if label == ALL_LABELS]
    if not found or not all(map(is_count, found[-1])):
        tree.note(path, f"no row {ALL_LABELS} of counts: how many items are leaked is not known")
        return None
    return Leaked(tree.relative(path), *map(int, found[-1]))


def _prompted(tree: Tree, run: Run) -> Iterator[Prompted]:
    path = tree.root / run.path / "in_context.tsv"
    if not path.exists():
        tree.note(path, "missing: accuracy by tokens and shots is not known")
        return
    for line, (method, *counts, _, metric, value) in tree.rows(path, PROMPTED_HEADER):
        # A method leaves empty what it has not, such as tuning samples of a soft prompt.
        if not all(is_count(cell) or not cell for cell in counts):
            tree.note(path, f"line {line}: {' '.join(counts)} are not all counts")
        elif math.isfinite(found := _noted(tree, path, line, value)):
            tokens, shots, samples = (int(cell or 0) for cell in counts)
            yield Prompted(method, tokens, shots, samples, metric, found)


def _resamples(tree: Tree, run: Run) -> Resamples:
    path = tree.root / run.path / "bootstrap.tsv"
    promised = any(run.info.bootstrap.resamples.values())
    if not path.exists():
        if promised:
            tree.note(path, "missing: intervals of this run allow for its seeds alone")
        return {}
    found: dict[tuple[str, str], dict[int, float]] = {}
    for line, (split, replicate, name, value) in tree.rows(path, BOOTSTRAP_HEADER):
        if not replicate.isdecimal() or len(replicate) > 6 or int(replicate) >= MOST_RESAMPLES:
            tree.note(path, f"line {line}: {replicate!r} is no number of a resample")
        elif math.isfinite(score := number(value)) or value == "nan":
            found.setdefault((split, name), {})[int(replicate)] = score
        else:
            tree.note(path, f"line {line}: {value!r} is no number")
    return {key: _in_order(of) for key, of in found.items()}


def _in_order(of: dict[int, float]) -> Floats:
    """Return values by their number, NaN where there is none."""
    values = np.full(max(of) + 1, np.nan)
    values[list(of)] = list(of.values())
    return values


def _noted(
    tree: Tree, path: Path | None, line: int, cell: str, *, least: float = -math.inf
) -> float:
    """Parse a number, noting where it is none or too small; NaN then."""
    value = number(cell)
    if math.isfinite(value) and value >= least:
        return value
    if path:
        tree.note(path, f"line {line}: {cell!r} is no number{' of items' if least == 0 else ''}")
    return math.nan
