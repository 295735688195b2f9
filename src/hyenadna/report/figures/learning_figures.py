"""How training on a benchmark went: the score on validation items after each epoch."""

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hyenadna.report import formats
from hyenadna.report.figures.drawing import Figure, hover, identifier, new, rendered, to_tsv
from hyenadna.report.figures.score_figures import DASHES, MARKS
from hyenadna.report.inputs.results import STAGES, Run
from hyenadna.report.scores import Score

Point = tuple[int, float, float]
"""Epoch, counted from 1, its last step, and the score."""


def curves(scores: list[Score]) -> Iterator[Figure]:
    """Draw each benchmark and model whose runs were validated."""
    for score in scores:
        trained = [run for run in score.runs if run.stage in STAGES]
        shown = [(run, points) for run in trained if (points := _points(score, run))]
        if shown:
            yield _curves(score, shown)


def _points(score: Score, run: Run) -> list[Point]:
    """Return every validation of a run, of which there is one an epoch."""
    steps, values = run.metrics.curve("valid", score.metric)
    points = zip(steps.tolist(), values.tolist(), strict=True)
    return [(epoch, *point) for epoch, point in enumerate(points, start=1)]


def _curves(score: Score, shown: list[tuple[Run, list[Point]]]) -> Figure:
    stages = [stage for stage in reversed(STAGES) if any(run.stage == stage for run, _ in shown)]
    figure, (axes,) = new(3.5, 2.3 + 0.19 * ((len(stages) + 1) // 2))
    for run, points in shown:
        _line(axes, score, run, points)
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"validation {formats.shortened(score.metric)}")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.margins(x=0.06)
    figure.legend(
        handles=[_handle(stage) for stage in stages], loc="outside lower center", ncols=2,
        frameon=False, fontsize=8, handlelength=2.4,
    )  # fmt: skip
    return Figure(
        name=identifier("learning", score.benchmark, score.model),
        title=f"Learning: {score.title}",
        caption="Each line is one seed, scored on validation items after each epoch. Marks: the "
        "epoch whose weights were tested.",
        description="; ".join(_in_words(score, *of) for of in shown) + ".",
        drawing=rendered(figure),
        data=to_tsv("benchmark model metric method seed epoch step value", _rows(score, shown)),
        sources=tuple(run.metrics_file for run, _ in shown),
        small=True,
        benchmark=score.benchmark,
        model=score.model,
    )


def _line(axes: Axes, score: Score, run: Run, points: list[Point]) -> None:
    marker, colour = MARKS[run.stage]
    epochs, _, values = zip(*points, strict=True)
    (line,) = axes.plot(
        epochs, values, color=colour, linestyle=DASHES[run.stage], linewidth=1.1,
        # One epoch alone is no line.
        marker="." if len(points) == 1 else "", markersize=4,
    )  # fmt: skip
    hover(line, [_point_in_words(score, run, point) for point in points])
    tested = _tested(score, run, points)
    if tested:
        (mark,) = axes.plot(tested[0], tested[2], marker, color=colour, markersize=4.5)
        hover(mark, _point_in_words(score, run, tested) + ", tested")


def _tested(score: Score, run: Run, points: list[Point]) -> Point | None:
    """Return the epoch whose weights the test scores are of, which have its step."""
    steps = run.metrics.curve("test", score.metric)[0]
    return next((point for point in points if len(steps) and point[1] == steps[-1]), None)


def _point_in_words(score: Score, run: Run, point: Point) -> str:
    epoch, step, value = point
    return (
        f"{formats.TITLES[run.stage]}, {run.repeat}\n"
        f"epoch {epoch}, step {formats.count(step)}: {score.metric} {formats.score(value)}"
    )


def _in_words(score: Score, run: Run, points: list[Point]) -> str:
    first, last = points[0], points[-1]
    text = f"{formats.TITLES[run.stage]}, {run.repeat}: {score.metric} {formats.score(first[2])}"
    text += f" after epoch {first[0]}"
    return text + (f", {formats.score(last[2])} after {last[0]}" if last != first else "")


def _rows(score: Score, shown: list[tuple[Run, list[Point]]]) -> Iterator[Sequence[object]]:
    for run, points in shown:
        for epoch, step, value in points:
            of = (score.benchmark, score.model, score.metric, run.stage)
            yield *of, run.seed, epoch, int(step), value


def _handle(stage: str) -> Line2D:
    marker, colour = MARKS[stage]
    return Line2D(
        [], [], color=colour, linestyle=DASHES[stage], linewidth=1.1, marker=marker, markersize=4.5,
        label=formats.TITLES[stage].lower(),
    )  # fmt: skip
