"""How training on a benchmark went: the score on validation items after each epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hyenadna.report import formats
from hyenadna.report.anchors import identifier
from hyenadna.report.figures.drawing import HUES, Figure, new, rendered, to_tsv
from hyenadna.report.figures.frames import MARKERS
from hyenadna.report.figures.marks import hover
from hyenadna.report.figures.score_figures import DASHES, MARKS
from hyenadna.report.inputs.results import STAGES, Run
from hyenadna.report.scores import Score

Point = tuple[int, float, float]
"""Epoch, counted from 1, its last step, and the score."""


@dataclass(frozen=True)
class Course:
    """What one run scored on validation items."""

    score: Score
    run: Run
    points: list[Point]
    """Each validation, of which there is one an epoch."""
    of_many: bool = False
    """Whether it stands beside those of other models."""

    @property
    def title(self) -> str:
        """What the legend calls it, and others of its kind."""
        return self.score.model if self.of_many else formats.TITLES[self.run.stage].lower()


def curves(scores: list[Score]) -> Iterator[Figure]:
    """Draw each benchmark whose runs were validated.

    Of one model every way of training is drawn, of several models the main way of each.
    """
    found: dict[tuple[str, str], list[list[Course]]] = {}
    for score in scores:
        if courses := list(_courses(score)):
            found.setdefault((score.benchmark, score.metric), []).append(courses)
    for by_model in found.values():
        shown = by_model[0] if len(by_model) == 1 else [c for of in by_model for c in _main(of)]
        yield _curves(shown)


def _courses(score: Score) -> Iterator[Course]:
    for run in score.runs:
        steps, values = run.metrics.curve("valid", score.metric)
        if run.stage in STAGES and len(steps):
            points = zip(steps.tolist(), values.tolist(), strict=True)
            yield Course(score, run, [(epoch, *point) for epoch, point in enumerate(points, 1)])


def _main(courses: list[Course]) -> Iterator[Course]:
    """Yield those of a model that were trained in its main way."""
    main = max((of.run.stage for of in courses), key=STAGES.index)
    for of in courses:
        if of.run.stage == main:
            yield Course(of.score, of.run, of.points, of_many=True)


def _looks(shown: list[Course]) -> dict[str, dict[str, Any]]:
    """Return colour, dashes and marker by title, in the order of the legend."""
    if shown[0].of_many:
        return {
            title: {
                "color": HUES[index % len(HUES)],
                "linestyle": DASHES[shown[0].run.stage],
                "marker": MARKERS[index % len(MARKERS)],
            }
            for index, title in enumerate(dict.fromkeys(of.title for of in shown))
        }
    stages = [stage for stage in reversed(STAGES) if any(of.run.stage == stage for of in shown)]
    return {
        formats.TITLES[stage].lower(): {
            "color": MARKS[stage][1], "linestyle": DASHES[stage], "marker": MARKS[stage][0],
        }
        for stage in stages
    }  # fmt: skip


def _curves(shown: list[Course]) -> Figure:
    score, looks = shown[0].score, _looks(shown)
    figure, (axes,) = new(3.5, 2.3 + 0.19 * ((len(looks) + 1) // 2))
    for of in shown:
        _line(axes, of, looks[of.title])
    axes.set_xlabel("epoch")
    axes.set_ylabel(f"validation {formats.shortened(score.metric)}")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.margins(x=0.06)
    figure.legend(
        handles=[_handle(title, look) for title, look in looks.items()],
        loc="outside lower center", ncols=2, frameon=False, fontsize=8, handlelength=2.4,
    )  # fmt: skip
    of_many = shown[0].of_many
    seeds = "one seed, its colour the model's" if of_many else "one seed"
    return Figure(
        name=identifier("learning", score.benchmark, score.metric if of_many else score.model),
        title=f"Learning: {score.benchmark if of_many else score.title}",
        caption=f"Each line is {seeds}, scored on validation items after each epoch. Marks: the "
        "epoch whose weights were tested.",
        description="; ".join(_models_in_words(shown) if of_many else map(_in_words, shown)) + ".",
        drawing=rendered(figure),
        data=to_tsv("benchmark model metric method seed epoch step value", _rows(shown)),
        sources=tuple(of.run.metrics_file for of in shown),
        small=True,
        benchmark=score.benchmark,
        model="" if of_many else score.model,
    )


def _line(axes: Axes, of: Course, look: dict[str, Any]) -> None:
    epochs, _, values = zip(*of.points, strict=True)
    # One epoch alone is no line.
    marker = "." if len(of.points) == 1 else ""
    (line,) = axes.plot(epochs, values, **look | {"marker": marker}, linewidth=1.1, markersize=4)
    hover(line, [_point_in_words(of, point) for point in of.points])
    tested = _tested(of)
    if tested:
        (mark,) = axes.plot(
            tested[0], tested[2], look["marker"], color=look["color"], markersize=4.5
        )
        hover(mark, _point_in_words(of, tested) + ", tested")


def _tested(of: Course) -> Point | None:
    """Return the epoch whose weights the test scores are of, which have its step."""
    steps = of.run.metrics.curve("test", of.score.metric)[0]
    return next((point for point in of.points if len(steps) and point[1] == steps[-1]), None)


def _point_in_words(of: Course, point: Point) -> str:
    epoch, step, value = point
    return (
        f"{_name(of)}\n"
        f"epoch {epoch}, step {formats.count(step)}: {of.score.metric} {formats.score(value)}"
    )


def _name(of: Course) -> str:
    model = f"{of.score.model}, " if of.of_many else ""
    return f"{model}{formats.TITLES[of.run.stage]}, {of.run.repeat}"


def _in_words(of: Course) -> str:
    first, last = of.points[0], of.points[-1]
    text = f"{_name(of)}: {of.score.metric} {formats.score(first[2])} after epoch {first[0]}"
    return text + (f", {formats.score(last[2])} after {last[0]}" if last != first else "")


def _models_in_words(shown: list[Course]) -> Iterator[str]:
    """Say where the seeds of each model began and ended, on average."""
    by_title: dict[str, list[Course]] = {}
    for of in shown:
        by_title.setdefault(of.title, []).append(of)
    for title, those in by_title.items():
        first, last = (fmean(of.points[at][2] for of in those) for at in (0, -1))
        yield (
            f"{title}, {formats.TITLES[those[0].run.stage].lower()}: {those[0].score.metric} "
            f"{formats.score(first)} after the first epoch, {formats.score(last)} after the last, "
            f"mean of {formats.plural(len(those), 'seed')}"
        )


def _rows(shown: list[Course]) -> Iterator[Sequence[object]]:
    for of in shown:
        for epoch, step, value in of.points:
            named = (of.score.benchmark, of.score.model, of.score.metric, of.run.stage)
            yield *named, of.run.seed, epoch, int(step), value


def _handle(title: str, look: dict[str, Any]) -> Line2D:
    return Line2D([], [], **look, linewidth=1.1, markersize=4.5, label=title)
