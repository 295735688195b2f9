"""What a run gets most wrong, read from its predictions. N items of a batch."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hyenadna.report import formats
from hyenadna.report.anchors import identifier
from hyenadna.report.inputs.results import Results, Run
from hyenadna.report.tables.cells import Cell, Column, Table, number, texts

MOST = 10
"""Examples that are shown of a run."""

HARD_TARGETS = 5
"""Of several labels, so many with the lowest area under the ROC curve have examples."""

BATCH = 65_536
"""Items in memory at a time: a test split may have half a million."""

WIDEST = 60
"""Characters of a name that are shown."""

LEAKED = {True: "yes", False: "no", None: formats.NOTHING}

Columns = Mapping[str, NDArray[Any]]
"""(N,) each."""


class Unreadable(Exception):
    """Predictions that cannot be used, and why."""


class Absent(Unreadable):
    """Predictions that are not there, or nothing that says which of them to show."""


@dataclass(frozen=True)
class Mistake:
    """One item, or one target of it, that a run is wrong about."""

    item: str
    target: str
    """Empty where an item has one class."""
    truth: str
    said: str
    degree: float
    """How wrong: the probability of the wrong answer, or the distance to the right number."""
    leaked: bool | None
    """None where nobody looked."""


@dataclass(frozen=True)
class Mistakes:
    """What a run gets wrong."""

    items: int
    wrong: int | None
    """Items whose class was not the one predicted; None where an item has no one class."""
    worst: list[Mistake]
    """Those with the highest degree, that first."""


def read(path: Path, kind: str, hardest: Sequence[str] = ()) -> Mistakes:
    """Read the worst mistakes from a table of predictions, a part of it at a time.

    Args:
        path: as `hyenadna finetune` writes it.
        kind: of labels: single, multi or regression.
        hardest: of several labels, the targets to look at.

    Raises:
        Unreadable: it is not there or cannot be used.
    """
    # Takes a moment to import: kept out of `hyenadna --help`.
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    if not path.exists():
        raise Absent("is not there")
    try:
        with ParquetFile(path) as file:
            names = _columns(file.schema_arrow.names, kind, hardest)
            batches = (
                {name: batch.column(name).to_numpy(zero_copy_only=False) for name in names}
                for batch in file.iter_batches(BATCH, columns=names)
            )
            return _gather(batches, kind)
    except (OSError, ValueError, TypeError, ArrowException) as error:
        reason = formats.shortened(" ".join(str(error).split()), 200)
        raise Unreadable(f"cannot be read: {reason}") from error


def _columns(there: list[str], kind: str, hardest: Sequence[str]) -> list[str]:
    """Return the columns to read, since a table may have thousands."""
    scores = [name for name in there if name.startswith("score_")]
    match kind:
        case "single":
            wanted = ["id", "label", "predicted", *scores]
        case "multi":
            wanted = ["id", *(f"{what}_{name}" for name in hardest for what in ("label", "score"))]
        case _:
            labels = [f"label_{name.removeprefix('score_')}" for name in scores]
            wanted = ["id", *labels, *scores]
    if lacking := set(wanted) - set(there):
        raise Unreadable(f"has no column {formats.shortened(min(lacking))}")
    if not scores:
        raise Unreadable("has no scores")
    return wanted + ["leaked"] * ("leaked" in there)


def _gather(batches: Iterable[Columns], kind: str) -> Mistakes:
    find = {"single": _of_classes, "multi": _of_labels}.get(kind, _of_numbers)
    items, wrong = 0, 0
    worst: dict[tuple[str, str], list[Mistake]] = {}
    for batch in batches:
        items += len(batch["id"])
        if kind == "single":
            wrong += int((batch["label"] != batch["predicted"]).sum())
        for mistake in find(batch):
            # Each of several labels shows the worst miss and the worst false alarm.
            group, most = (
                ((mistake.target, mistake.truth), 1) if kind == "multi" else (("", ""), MOST)
            )
            known = worst.setdefault(group, [])
            known[:] = nlargest(most, [*known, mistake], key=attrgetter("degree"))
    every = (mistake for known in worst.values() for mistake in known)
    shown = nlargest(MOST, every, key=attrgetter("degree"))
    return Mistakes(items, wrong if kind == "single" else None, shown)


def _of_classes(batch: Columns) -> Iterator[Mistake]:
    scores = np.stack([of for name, of in batch.items() if name.startswith("score_")])
    sure = np.where(batch["label"] != batch["predicted"], scores.max(axis=0), -math.inf)
    for at in _highest(sure, MOST):
        truth, said = str(batch["label"][at]), str(batch["predicted"][at])
        yield Mistake(str(batch["id"][at]), "", truth, said, float(sure[at]), _leaked(batch, at))


def _of_labels(batch: Columns) -> Iterator[Mistake]:
    for name, scores in batch.items():
        target = name.removeprefix("score_")
        if target == name:
            continue
        positive = batch[f"label_{target}"] > 0
        for truth, wrong in (("yes", 1 - scores), ("no", scores)):
            degree = np.where(positive == (truth == "yes"), wrong, -math.inf)
            for at in _highest(degree, 1):
                yield Mistake(
                    str(batch["id"][at]), target, truth, formats.score(float(scores[at])),
                    float(degree[at]), _leaked(batch, at),
                )  # fmt: skip


def _of_numbers(batch: Columns) -> Iterator[Mistake]:
    for name, scores in batch.items():
        target = name.removeprefix("score_")
        if target == name:
            continue
        truth = batch[f"label_{target}"]
        distance = np.abs(scores - truth)
        for at in _highest(distance, MOST):
            right, said = (formats.score(float(of[at])) for of in (truth, scores))
            leaked = _leaked(batch, at)
            yield Mistake(str(batch["id"][at]), target, right, said, float(distance[at]), leaked)


def _highest(degree: NDArray[Any], most: int) -> list[int]:
    """Return where the highest finite numbers of (N,) are, of those that tie the first."""
    order = np.argsort(-degree, kind="stable")[:most]
    return [int(at) for at in order if math.isfinite(degree[at])]


def _leaked(batch: Columns, at: int) -> bool | None:
    return bool(batch["leaked"][at]) if "leaked" in batch else None


def predictions_of(run: Run) -> str:
    """Return the path of a run's predictions, relative to the results."""
    return f"{run.path}/predictions.parquet"


def table(results: Results, run: Run) -> Table | None:
    """Show what a run gets most wrong, nothing if that is nothing.

    Raises:
        Unreadable: its predictions are not there or cannot be used.
    """
    path = predictions_of(run)
    areas = _hardest(results, run)
    kind = run.info.kind or "single"
    if kind == "multi" and not areas:
        raise Absent("is not read, since which targets are told apart worst is not known")
    found = read(results.root / path, kind, list(areas))
    if not found.worst:
        return None
    if areas:
        found.worst.sort(key=lambda mistake: list(areas).index(mistake.target))
    several = len({mistake.target for mistake in found.worst} | set(areas)) > 1
    return Table(
        name=identifier("errors", run.subject, run.model),
        title=f"Most wrong: {run.model}, {formats.TITLES[run.stage].lower()}, {run.repeat}",
        caption=_caption(found, kind, several=several),
        columns=[
            *texts("Test item"),
            *(texts("Target") if several else []),
            *([Column("Its auroc")] if areas else []),
            *_columns_of(kind),
            *texts("Leaked"),
        ],
        rows=[
            [
                Cell(formats.shortened(mistake.item, WIDEST), value=mistake.item),
                *([Cell(formats.shortened(mistake.target, WIDEST))] if several else []),
                *([number(areas[mistake.target])] if areas else []),
                *_said(mistake, kind),
                Cell(LEAKED[mistake.leaked]),
            ]
            for mistake in found.worst
        ],
        sources=(path,),
    )


def _hardest(results: Results, run: Run) -> dict[str, float]:
    """Return the targets with the lowest areas, that first, empty where items have no targets."""
    of = results.outcomes.targets.get(run.path)
    if of is None:
        return {}
    order = np.argsort(of.auroc, kind="stable")
    known = [int(at) for at in order if math.isfinite(of.auroc[at])]
    return {of.names[at]: float(of.auroc[at]) for at in known[:HARD_TARGETS]}


def _columns_of(kind: str) -> list[Column]:
    match kind:
        case "single":
            return [*texts("Class", "Taken for"), Column("Probability of that")]
        case "multi":
            return [*texts("Has it"), Column("Probability given")]
    return [Column("Value"), Column("Predicted"), Column("Off by")]


def _said(mistake: Mistake, kind: str) -> list[Cell]:
    names = [formats.shortened(of, WIDEST) for of in (mistake.truth, mistake.said)]
    match kind:
        case "single":
            return [*map(Cell, names), number(mistake.degree)]
        case "multi":
            return [Cell(mistake.truth), Cell(mistake.said)]
    return [Cell(mistake.truth), Cell(mistake.said), number(mistake.degree)]


def _caption(found: Mistakes, kind: str, *, several: bool) -> str:
    match kind:
        case "single":
            share = formats.share(found.wrong or 0, found.items)
            return (
                f"{found.wrong:,} of {formats.plural(found.items, 'test item')} ({share}) are "
                "taken for another class; here those that the model is most sure of."
            )
        case "multi":
            return (
                "Of the targets that it tells apart worst, the test item that it misses most and "
                "the one that it most wrongly reports."
            )
    what = "predictions of any target" if several else "predictions"
    return f"The {what} that are furthest off, of {formats.plural(found.items, 'test item')}."
