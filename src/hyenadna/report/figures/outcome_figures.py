"""What lies behind test scores, as small figures: confusion, curves, targets. C classes."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from hyenadna.report import formats
from hyenadna.report.anchors import identifier
from hyenadna.report.figures.drawing import (
    HUES,
    INK,
    SOFT,
    TUNED,
    Figure,
    bends,
    beside,
    name_rows,
    new,
    rendered,
    to_tsv,
)
from hyenadna.report.figures.marks import hover
from hyenadna.report.inputs.outcome_reading import best_trained
from hyenadna.report.inputs.outcomes import Confusion, Curve, Curves, Floats, Outcomes, Targets
from hyenadna.report.inputs.results import Results, Run

NUMBERED_CLASSES = 8
"""Up to so many classes a confusion matrix has room for numbers in its cells."""

DARKEST = 0.55
"""Opacity of a cell that holds every item of its row: text upon it stays readable."""

VECTOR_POINTS = 400
"""Above this many targets, their figure holds an image of the points and not each one."""

GOLDEN = 0.6180339887
"""Multiples of it, modulo one, spread evenly however many there are."""

UNSEEN = 0.002
"""How far from a curve, of its whole range, the line may be: less than its own width."""

RATES = {"roc": ("false positives", "true positives"), "pr": ("recall", "precision")}
"""What the curves of a kind have along their axes."""


def behind(results: Results) -> Iterator[Figure]:
    """Draw confusion, curves and targets of each benchmark and model."""
    drawn = [
        figure
        for runs in best_trained(results.runs).values()
        for figure in _of_runs(runs, results.outcomes)
    ]
    # Small ones share rows, which a wide one between them would break.
    yield from sorted(drawn, key=lambda figure: not figure.small)


def _of_runs(runs: list[Run], outcomes: Outcomes) -> Iterator[Figure]:
    known = [
        (run, outcomes.confusions[run.path]) for run in runs if run.path in outcomes.confusions
    ]
    alike = [of for _, of in known if of.labels == known[0][1].labels]
    if alike:
        yield _confusion(known[0][0], alike)
    first = runs[0]
    if first.path in outcomes.curves:
        yield _curves(first, outcomes.curves[first.path])
    if first.path in outcomes.targets:
        yield _targets(first, outcomes.targets[first.path])


def _confusion(run: Run, of: list[Confusion]) -> Figure:
    items: Floats = np.sum([matrix.items for matrix in of], axis=0)
    shares = items / np.maximum(items.sum(axis=1, keepdims=True), 1)
    labels = of[0].labels
    count = len(labels)
    figure, (axes,) = new(3.5, 0.95 + 0.27 * count)
    _cells(axes, items, shares, labels)
    name_rows(axes, [formats.shortened(label, 16) for label in labels])
    axes.set_xticks(range(count), [formats.shortened(label, 10) for label in labels])
    if max(map(len, labels)) > 36 / count:
        axes.tick_params(axis="x", labelrotation=90 if count > NUMBERED_CLASSES else 30)
    axes.set_xlim(-0.5, count - 0.5)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel("taken for, % of the row")
    return Figure(
        name=identifier("confusion", run.subject, run.model),
        title=_title("Confusion", run),
        caption=f"Rows are true classes. {_how(run)}, test items summed over "
        f"{formats.plural(len(of), 'seed')}.",
        description="; ".join(
            f"of {label}, {formats.listed(_taken_for(labels, share))}"
            for label, share in zip(labels, shares, strict=True)
        )
        + ".",
        drawing=rendered(figure),
        data=to_tsv(
            "label predicted items",
            ((labels[i], labels[j], items[i, j]) for i, j in np.ndindex(count, count)),
        ),
        sources=tuple(matrix.path for matrix in of),
        small=True,
        benchmark=run.subject,
        model=run.model,
    )


def _cells(axes: Axes, items: Floats, shares: Floats, labels: tuple[str, ...]) -> None:
    """Draw a matrix (C, C), each cell the darker the larger its share of the row."""
    for row, column in np.ndindex(items.shape):
        cell = axes.fill_between(
            [column - 0.47, column + 0.47], row - 0.47, row + 0.47, color=TUNED, linewidth=0,
            alpha=DARKEST * float(shares[row, column]),
        )  # fmt: skip
        share = f"{formats.percent(float(shares[row, column]))} of its {items[row].sum():,.0f}"
        hover(
            cell,
            f"{labels[row]}, taken for {labels[column]}\n"
            f"{formats.plural(int(items[row, column]), 'item')}, {share}",
        )
        if len(labels) <= NUMBERED_CLASSES:
            axes.annotate(
                f"{100 * shares[row, column]:.0f}", (column, row), ha="center", fontsize=8.5,
                va="center_baseline", color=INK,
            )  # fmt: skip


def _taken_for(labels: tuple[str, ...], shares: Floats) -> list[str]:
    """Say what the items of one class were taken for, most first, leaving out what is rare."""
    order = np.argsort(-shares, kind="stable")[:3]
    return [f"{formats.percent(float(shares[i]))} taken for {labels[i]}" for i in order]


def _curves(run: Run, of: Curves) -> Figure:
    figure, panels = beside(3.5, 2.25, 2)
    targets = list(dict.fromkeys(curve.target for curve in of.curves))
    named = 1 < len(targets) <= len(HUES)
    for curve in map(_simplified, of.curves):
        (line,) = panels[curve.kind == "pr"].plot(
            curve.x, curve.y, color=HUES[targets.index(curve.target)] if named else TUNED,
            linewidth=1.2, alpha=1.0 if named or len(targets) == 1 else 0.4,
        )  # fmt: skip
        hover(line, _points_in_words(curve))
    areas = {name: formats.score(run.metrics.last("test", name)) for name in ("auroc", "auprc")}
    _frame(panels[0], f"ROC {areas['auroc']}", *RATES["roc"])
    _frame(panels[1], f"Precision–recall {areas['auprc']}", *RATES["pr"])
    panels[0].plot([0, 1], [0, 1], color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
    if named:
        _name_targets(figure, targets)
    every = "each class against the rest" if run.info.kind != "multi" else "each target"
    return Figure(
        name=identifier("curves", run.subject, run.model),
        title=_title("Curves", run),
        caption=f"{_how(run)}, {run.repeat} alone"
        + (f"; {every}, and the mean area." if len(targets) > 1 else f", of class {targets[0]}."),
        description=f"ROC and precision-recall curves of {formats.listed(targets[:6])}"
        + (f" and {len(targets) - 6} more" if len(targets) > 6 else "")
        + f": {', '.join(f'{name} {area}' for name, area in areas.items())}.",
        drawing=rendered(figure),
        data=to_tsv(
            "target curve x y",
            (
                (curve.target, curve.kind, *point)
                for curve in of.curves
                for point in zip(curve.x, curve.y, strict=True)
            ),
        ),
        sources=(of.path,),
        small=True,
        benchmark=run.subject,
        model=run.model,
    )


def _name_targets(figure: Canvas, targets: list[str]) -> None:
    """Write below a figure of curves which colour is which."""
    lines = [
        Line2D([], [], color=HUES[at], label=formats.shortened(target, 18))
        for at, target in enumerate(targets)
    ]
    figure.legend(
        handles=lines, loc="outside lower center", ncols=2, frameon=False, fontsize=8,
        handlelength=1.0,
    )  # fmt: skip
    figure.set_figheight(2.25 + 0.19 * ((len(targets) + 1) // 2))


def _simplified(curve: Curve) -> Curve:
    """Leave out points that cannot be seen: a page may hold hundreds of curves."""
    drawn = bends(curve.x, curve.y, UNSEEN)
    return replace(curve, x=curve.x[drawn], y=curve.y[drawn])


def _points_in_words(curve: Curve) -> list[str]:
    across, up = RATES["pr" if curve.kind == "pr" else "roc"]
    return [
        f"{curve.target}\n{across} {formats.score(x)}, {up} {formats.score(y)}"
        for x, y in zip(curve.x.tolist(), curve.y.tolist(), strict=True)
    ]


def _frame(axes: Axes, title: str, across: str, up: str) -> None:
    """Make axes a unit square."""
    axes.set_title(title, fontsize=8.5, color=INK, loc="left")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")
    axes.set(xlabel=across, ylabel=up)


def _targets(run: Run, of: Targets) -> Figure:
    groups = list(dict.fromkeys(of.groups))
    figure, (axes,) = new(7.0, 0.75 + 0.6 * len(groups))
    words = []
    for row, group in enumerate(groups):
        chosen = np.array([name == group for name in of.groups]) & np.isfinite(of.auroc)
        values = of.auroc[chosen]
        heights = row + 0.56 * ((np.arange(len(values)) * GOLDEN) % 1 - 0.5)
        marks = axes.scatter(
            values, heights, s=13, color=TUNED, alpha=0.55, linewidths=0,
            rasterized=len(of.auroc) > VECTOR_POINTS,
        )  # fmt: skip
        hover(marks, [_target_in_words(of, int(index)) for index in np.flatnonzero(chosen)])
        if len(values):
            words.append(_median(axes, values, row, group))
    name_rows(axes, [group or "all targets" for group in groups])
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("test auroc of a target; the upright line is the median of its group")
    return Figure(
        name=identifier("targets", run.subject, run.model),
        title=_title("Targets", run),
        caption=f"Each mark is one target. {_how(run)}, {run.repeat} alone. Heights have no "
        "meaning. 0.5 is guessing.",
        description="; ".join(words) + ".",
        drawing=rendered(figure),
        data=to_tsv("target group auroc", zip(of.names, of.groups, of.auroc, strict=True)),
        sources=(of.path,),
        benchmark=run.subject,
        model=run.model,
    )


def _median(axes: Axes, values: Floats, row: int, group: str) -> str:
    """Draw the median of a group, and say it in words."""
    median = float(np.median(values))
    (line,) = axes.plot([median] * 2, [row - 0.36, row + 0.36], color=INK, linewidth=1.8)
    hover(line, f"{group or 'all targets'}\nmedian auroc {formats.score(median)}")
    axes.annotate(
        f"{formats.score(median)}, {formats.plural(len(values), 'target')}",
        (1.01, row), xycoords=("axes fraction", "data"), va="center_baseline", fontsize=8.5,
    )  # fmt: skip
    low, high = formats.score(float(values.min())), formats.score(float(values.max()))
    return (
        f"{group or 'all'}: median {formats.score(median)} of {len(values)} targets, "
        f"from {low} to {high}"
    )


def _target_in_words(of: Targets, index: int) -> str:
    lines = (of.names[index], of.groups[index], f"auroc {formats.score(float(of.auroc[index]))}")
    return "\n".join(filter(None, lines))


def _title(what: str, run: Run) -> str:
    return f"{what}: {run.subject} · {run.model}"


def _how(run: Run) -> str:
    return formats.TITLES[run.stage]
