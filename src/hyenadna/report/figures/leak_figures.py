"""Test scores on all items and without those that training has seen, as a figure."""

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from hyenadna.report import formats
from hyenadna.report.figures.drawing import SOFT, TUNED, Figure, name_rows, new, rendered, to_tsv
from hyenadna.report.figures.frames import legend_above
from hyenadna.report.figures.marks import hover
from hyenadna.report.scores import Score, Spread
from hyenadna.report.tables.summaries import sources_of

MARKS = {"lookup": ("s", SOFT), "finetune": ("o", TUNED)}
"""Marker and colour of what is drawn with and without leaked items."""


def with_and_without_leaks(scores: list[Score]) -> Iterator[Figure]:
    """Draw what leaked test items add to the fine-tuned model and to the best look-up of labels."""
    shown = [score for score in scores if score.clean.get("finetune", Spread(())).n]
    if not shown:
        return
    figure, (axes,) = new(7.0, 0.95 + 0.3 * len(shown))
    for row, score in enumerate(shown):
        for method in (method for method in MARKS if method in score.clean):
            _pair(axes, score, method, row)
    name_rows(axes, [formats.shortened(score.title, 44) for score in shown])
    axes.grid(visible=True, axis="both")
    axes.set_xlabel("test score, mean over seeds")
    handles = [
        _handle(method, whole=whole)
        for method in MARKS
        for whole in (True, False)
        if any(method in score.clean for score in shown)
    ]
    legend_above(figure, handles)
    yield Figure(
        name="leaks",
        title="Test scores with and without leaked items",
        caption="Full marks: the whole test split. Hollow marks: without the items that train "
        "repeats or overlaps. A long line is a score that was owed to them.",
        description="; ".join(
            f"{score.title}, {score.metric}: {formats.score(score.means['finetune'])} on all "
            f"items, {formats.score(score.clean['finetune'].mean)} on clean ones"
            for score in shown
            if "finetune" in score.means
        )
        + ".",
        drawing=rendered(figure),
        data=to_tsv("benchmark model metric method all clean", _pairs(shown)),
        sources=sources_of(shown),
    )


def _pairs(scores: list[Score]) -> Iterator[Sequence[object]]:
    for score in scores:
        for method in MARKS:
            both = score.test(method).mean, score.clean.get(method, Spread(())).mean
            yield score.benchmark, score.model, score.metric, method, *both


def _handle(method: str, *, whole: bool) -> Line2D:
    marker, colour = MARKS[method]
    return Line2D(
        [], [], marker=marker, color=colour, markerfacecolor=colour if whole else "none",
        linestyle="none",
        label=f"{formats.TITLES[method].lower()}, {'all items' if whole else 'clean'}",
    )  # fmt: skip


def _pair(axes: Axes, score: Score, method: str, row: int) -> None:
    marker, colour = MARKS[method]
    whole, clean = score.test(method).mean, score.clean.get(method, Spread(())).mean
    (line,) = axes.plot([whole, clean], [row, row], color=colour, linewidth=1.2)
    (full,) = axes.plot(whole, row, marker, color=colour, markersize=6)
    (hollow,) = axes.plot(clean, row, marker, color=colour, markerfacecolor="none", markersize=6)
    text = (
        f"{score.title}\n{formats.TITLES[method]}: {score.metric} {formats.score(whole)} on all "
        f"items, {formats.score(clean)} on clean ones"
    )
    for artist in (line, full, hollow):
        hover(artist, text)
