"""Test scores as figures: all benchmarks at a glance, and each with its seeds and baselines."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from hyenadna.report import formats
from hyenadna.report.anchors import identifier
from hyenadna.report.figures.drawing import (
    INK,
    PROBE,
    SCRATCH,
    SOFT,
    TUNED,
    Figure,
    name_rows,
    new,
    rendered,
    to_tsv,
)
from hyenadna.report.figures.frames import legend_above
from hyenadna.report.figures.marks import hover
from hyenadna.report.inputs.results import STAGES
from hyenadna.report.scores import Score, several_models
from hyenadna.report.tables.summaries import sources_of

MARKS = {"finetune": ("o", TUNED), "scratch": ("s", SCRATCH), "probe": ("D", PROBE)}
"""Marker and colour of each way of training."""

DASHES: dict[str, Any] = {"finetune": "-", "scratch": (0, (4, 2)), "probe": (0, (1, 1.5))}
"""Its line, where it has one."""

BASELINE_DASHES = ("-", "--", ":", "-.", (0, (1, 4)))


def glance(scores: list[Score]) -> Iterator[Figure]:
    """Draw the means of all benchmarks in one frame."""
    shown = [score for score in scores if score.means]
    if not shown:
        return
    figure, (axes,) = new(4.9, 0.95 + 0.32 * len(shown))
    for row, score in enumerate(shown):
        if score.best_baseline:
            at = score.means[score.best_baseline]
            (bar,) = axes.plot([at, at], [row - 0.3, row + 0.3], color=INK, linewidth=2, zorder=2)
            hover(bar, _mean_in_words(score, score.best_baseline))
        for stage in reversed(STAGES):
            if stage in score.means:
                _mean_with_sd(axes, score, stage, row)
        axes.annotate(
            formats.shortened(score.metric, 12), (1.01, row), xycoords=("axes fraction", "data"),
            va="center_baseline", color=SOFT, fontsize=8.5,
        )  # fmt: skip
    several = several_models(shown)
    titles = [score.title if several else score.benchmark for score in shown]
    name_rows(axes, [formats.shortened(title, 44) for title in titles])
    axes.grid(visible=True, axis="both")
    axes.set_xlabel("test score (mean over seeds, bar: ± 1 sd)")
    handles = [Line2D([], [], color=INK, linewidth=2, label="best trivial baseline")]
    handles += [_handle(stage) for stage in STAGES if any(stage in s.means for s in shown)]
    legend_above(figure, handles)
    yield Figure(
        name="scores",
        title="Test scores at a glance",
        caption="A mark to the right of the upright bar beats every trivial baseline. Measures "
        "differ between rows, so compare within a row.",
        description="; ".join(_in_words(score) for score in shown) + ".",
        drawing=rendered(figure),
        data=to_tsv("benchmark model metric method mean sd n", _spread_rows(shown)),
        sources=sources_of(shown),
    )


def benchmark(score: Score) -> Figure:
    """Draw every seed of one benchmark, and its baselines as lines."""
    stages = [stage for stage in reversed(STAGES) if stage in score.means]
    baselines = sorted((score.means[name], name) for name in score.baselines if name in score.means)
    figure, (axes,) = new(3.5, 0.65 + 0.2 * len(baselines) + 0.3 * max(len(stages), 1))
    name_rows(axes, [formats.TITLES[stage].lower() for stage in stages])
    for row, stage in enumerate(stages):
        _seeds(axes, score, stage, row)
    for level, (_, name) in enumerate(baselines):
        _baseline(axes, score, name, level)
    axes.grid(visible=False)
    axes.margins(x=0.08)
    axes.set_xlabel(f"test {formats.shortened(score.metric)}")
    axes.xaxis.set_major_locator(MaxNLocator(5, min_n_ticks=3))
    return Figure(
        name=identifier("benchmark", score.benchmark, score.model),
        title=score.title,
        caption="",
        description=_in_words(score) + ".",
        drawing=rendered(figure),
        data=to_tsv("benchmark model metric method value", _value_rows(score)),
        sources=tuple(run.metrics_file for run in score.runs),
        small=True,
        benchmark=score.benchmark,
        model=score.model,
    )


def _baseline(axes: Axes, score: Score, name: str, level: int) -> None:
    """Draw a trivial method; the leftmost comes first and has the lowest label.

    So no line runs through another's label.
    """
    at, bottom, top = score.means[name], axes.get_ylim()[0], -0.75 - 0.6 * level
    axes.set_ylim(top=top - 0.35)
    (line,) = axes.plot(
        [at, at], [bottom, top], color=SOFT, linewidth=1, zorder=1,
        linestyle=BASELINE_DASHES[level],
    )  # fmt: skip
    hover(line, _mean_in_words(score, name))
    axes.annotate(
        f"{formats.TITLES[name].lower()} {formats.score(at)}", (at, top), xytext=(-4, 0),
        textcoords="offset points", ha="right", va="center_baseline", fontsize=8, color=SOFT,
        annotation_clip=False,
    )  # fmt: skip


def _spread_rows(scores: list[Score]) -> Iterator[Sequence[object]]:
    for score in scores:
        for method in score.means:
            of = score.test(method)
            n = of.n if method in score.stages else ""  # a baseline has no seeds
            yield score.benchmark, score.model, score.metric, method, of.mean, of.sd, n


def _value_rows(score: Score) -> Iterator[Sequence[object]]:
    for method in score.means:
        for value in score.test(method).values:
            yield score.benchmark, score.model, score.metric, method, value


def _in_words(score: Score) -> str:
    numbers = (f"{formats.TITLES[name]} {formats.score(of)}" for name, of in score.means.items())
    return f"{score.title}, {score.metric}: {', '.join(numbers)}"


def _mean_in_words(score: Score, method: str) -> str:
    """Say what a mark of one method stands for."""
    of = score.test(method)
    return "\n".join(
        (
            score.title if method in score.stages else score.benchmark,
            f"{formats.TITLES[method]}: {score.metric} {formats.spread(of)}",
            *([formats.seeds(of)] if method in score.stages else []),
        )
    )


def _handle(stage: str) -> Line2D:
    marker, colour = MARKS[stage]
    return Line2D(
        [], [], marker=marker, color=colour, markerfacecolor=face(stage), linestyle="none",
        label=formats.TITLES[stage].lower(),
    )  # fmt: skip


def face(stage: str) -> str:
    """Return the fill of a marker: of the fine-tuned model only, to stand out without colour."""
    return MARKS[stage][1] if stage == "finetune" else "none"


def _mean_with_sd(axes: Axes, score: Score, stage: str, row: float) -> None:
    marker, colour = MARKS[stage]
    of = score.stages[stage]
    if of.n > 1:
        axes.plot([of.mean - of.sd, of.mean + of.sd], [row, row], color=colour, linewidth=1.2)
    (mark,) = axes.plot(
        of.mean, row, marker, color=colour, markerfacecolor=face(stage), markersize=6.5, zorder=3
    )
    hover(mark, _mean_in_words(score, stage))


def _seeds(axes: Axes, score: Score, stage: str, row: float) -> None:
    marker, colour = MARKS[stage]
    of = score.stages[stage]
    (marks,) = axes.plot(
        of.values, [row] * of.n, marker, color=colour, markerfacecolor=face(stage),
        markersize=5.5, alpha=0.75, clip_on=False,
    )  # fmt: skip
    hover(marks, list(_seeds_in_words(score, stage)))
    (mean,) = axes.plot([of.mean] * 2, [row - 0.28, row + 0.28], color=colour, linewidth=1.6)
    hover(mean, _mean_in_words(score, stage))
    axes.annotate(
        formats.score(of.mean), (1.02, row), xycoords=("axes fraction", "data"),
        va="center_baseline", color=INK, fontsize=8.5,
    )  # fmt: skip


def _seeds_in_words(score: Score, stage: str) -> Iterator[str]:
    """Say of each mark which run it is; runs without a finite score have none."""
    for run in (run for run in score.runs if run.stage == stage):
        value = run.metrics.last("test", score.metric)
        if math.isfinite(value):
            text = f"{formats.TITLES[stage]}, {run.repeat}: {score.metric} {formats.score(value)}"
            yield f"{score.title}\n{text}"
