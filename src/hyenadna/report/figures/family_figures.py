"""Figures that one family of benchmarks asks for: scores by group of targets, and by length."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hyenadna.report import formats
from hyenadna.report.anchors import identifier
from hyenadna.report.figures.drawing import (
    HUES,
    INK,
    OTHER,
    SOFT,
    Figure,
    name_rows,
    new,
    rendered,
    to_tsv,
)
from hyenadna.report.figures.frames import legend_beside, line_over_seeds
from hyenadna.report.figures.marks import hover
from hyenadna.report.figures.score_figures import DASHES, MARKS, face
from hyenadna.report.inputs.literature import Published, PublishedScore
from hyenadna.report.inputs.results import STAGES
from hyenadna.report.scores import Score, Spread
from hyenadna.report.tables.summaries import sources_of

GROUPED = "auroc_median."
"""What the median area over a group of targets is called, before the name of the group."""

LENGTH = re.compile(r"(?P<stem>.+)_(?P<size>\d{1,6})(?P<unit>[km])")
"""The name of a benchmark that is called after the length of its windows."""

UNITS = {"k": 1_000, "m": 1_000_000}

FOREIGN = "X*Pv^"
"""Markers of published models: those that no way of training of ours has."""


@dataclass(frozen=True)
class Marked:
    """One method with its scores, by group of targets or by benchmark."""

    label: str
    look: dict[str, Any]
    scores: dict[str, Spread]
    is_published: bool = False


def by_group(scores: list[Score], published: Published) -> Iterator[Figure]:
    """Draw the median area of each group of targets, of those benchmarks that have groups."""
    for score in scores:
        names = (name for run in score.runs for name in run.metrics.names("test"))
        groups = list(dict.fromkeys(name.partition(GROUPED)[2] for name in names))
        beside = [of for of in published.scores if of.benchmark == score.benchmark]
        beside = [of for of in beside if of.metric.startswith(GROUPED)]
        others = _of_others(beside, lambda of: of.metric.removeprefix(GROUPED))
        shown = [*_measured(score), *others]
        if any(groups) and any(of.scores for of in shown):
            paths = [published.paths[of.family] for of in beside]
            yield _by_group(score, list(filter(None, groups)), shown, paths)


def _measured(score: Score) -> Iterator[Marked]:
    """Yield the ways of training and the best baseline."""
    for stage in (stage for stage in reversed(STAGES) if stage in score.stages):
        marker, colour = MARKS[stage]
        look = {"marker": marker, "color": colour, "markerfacecolor": face(stage)}
        yield Marked(formats.TITLES[stage].lower(), look, _medians(score, stage, GROUPED))
    best = score.best_baseline
    if best:
        look = {"marker": "|", "color": INK, "markerfacecolor": INK}
        found = _medians(score, "baselines", f"{best}.{GROUPED}")
        yield Marked(f"{formats.TITLES[best].lower()} (best baseline)", look, found)


def _medians(score: Score, stage: str, start: str) -> dict[str, Spread]:
    """Return the scores of the runs of a stage by group, whose names follow `start`."""
    runs = [run for run in score.runs if run.stage == stage]
    names = dict.fromkeys(name for run in runs for name in run.metrics.names("test"))
    return {
        name.removeprefix(start): Spread.of(run.metrics.last("test", name) for run in runs)
        for name in names
        if name.startswith(start)
    }


def _of_others(
    rows: list[PublishedScore], name: Callable[[PublishedScore], str]
) -> Iterator[Marked]:
    """Yield what each published model reached, by what `name` calls the row."""
    by_model: dict[str, dict[str, Spread]] = {}
    for of in rows:
        by_model.setdefault(_title(of), {})[name(of)] = Spread.of([of.value])
    for index, (title, found) in enumerate(by_model.items()):
        look = {"marker": FOREIGN[index % len(FOREIGN)], "color": OTHER, "markerfacecolor": "none"}
        yield Marked(title, look, found, is_published=True)


def _title(of: PublishedScore) -> str:
    return f"{of.model} ({of.parameters}), published" if of.parameters else f"{of.model}, published"


def _by_group(score: Score, groups: list[str], shown: list[Marked], paths: list[str]) -> Figure:
    lane = 0.8 / len(shown)
    figure, (axes,) = new(7.0, 0.75 + len(groups) * max(0.4, 0.16 * len(shown)))
    for index, marked in enumerate(shown):
        places = [row - 0.4 + lane * (index + 0.5) for row in range(len(groups))]
        _marks_across(axes, marked, groups, places)
    name_rows(axes, [formats.shortened(group, 30) for group in groups])
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    for row in range(1, len(groups)):
        axes.axhline(row - 0.5, color=SOFT, linewidth=0.4)
    axes.set_xlabel("median test auroc over the targets of a group")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    legend_beside(axes)
    return Figure(
        name=identifier("groups", score.benchmark, score.model),
        title=f"AUROC by group of targets: {score.title}",
        caption=_caption(shown),
        description="; ".join(_in_words(of) for of in shown if of.scores) + ".",
        drawing=rendered(figure),
        data=to_tsv("benchmark model method group auroc_median sd n", _rows(score, shown)),
        sources=tuple(dict.fromkeys([*sources_of([score]), *paths])),
        benchmark=score.benchmark,
        model=score.model,
    )


def _marks_across(axes: Axes, marked: Marked, groups: list[str], places: list[float]) -> None:
    """Draw one method, at a height for each group."""
    points = [
        (group, place, marked.scores[group])
        for group, place in zip(groups, places, strict=True)
        if group in marked.scores
    ]
    for _, place, of in points:
        if of.n > 1:
            ends = [of.mean - of.sd, of.mean + of.sd]
            axes.plot(ends, [place] * 2, color=marked.look["color"], linewidth=1.2)
    means, heights = [of.mean for *_, of in points], [place for _, place, _ in points]
    label = formats.shortened(marked.label, 40)
    (marks,) = axes.plot(means, heights, linestyle="none", label=label, markersize=6, **marked.look)
    hover(marks, [f"{group}\n{_point_in_words(marked, of)}" for group, _, of in points])


def _caption(shown: list[Marked]) -> str:
    said = "On the whole test split; means over seeds, bars ± 1 sd."
    if any(of.is_published for of in shown):
        said += " Grey: as published, by the paper's protocol."
    return said


def _point_in_words(marked: Marked, of: Spread) -> str:
    text = f"{marked.label}: {formats.spread(of)}"
    return f"{text}, {formats.seeds(of)}" if of.n > 1 else text


def _in_words(marked: Marked) -> str:
    numbers = (f"{name} {formats.score(of.mean)}" for name, of in marked.scores.items())
    return f"{marked.label}: {', '.join(numbers)}"


def _rows(score: Score, shown: list[Marked]) -> Iterator[Sequence[object]]:
    for marked in shown:
        for group, of in marked.scores.items():
            model = "" if marked.is_published else score.model
            yield score.benchmark, model, marked.label, group, of.mean, of.sd, of.n


def by_length(scores: list[Score], published: Published) -> Iterator[Figure]:
    """Draw scores against the length of the windows, of benchmarks that are called after it."""
    stems: dict[tuple[str, str], dict[str, int]] = {}
    for score in scores:
        match = LENGTH.fullmatch(score.benchmark)
        if match and score.means:
            of = stems.setdefault((match["stem"], score.metric), {})
            of[score.benchmark] = int(match["size"]) * UNITS[match["unit"]]
    for (stem, metric), lengths in stems.items():
        ordered = sorted(lengths, key=lengths.__getitem__)
        those = [score for score in scores if score.benchmark in lengths]
        beside = [of for of in published.scores if of.benchmark in lengths and of.metric == metric]
        if len(ordered) > 1:
            shown = [*_lines(those), *_of_others(beside, lambda of: of.benchmark)]
            paths = [published.paths[of.family] for of in beside]
            yield _by_length(stem, ordered, those, shown, paths)


def _lines(scores: list[Score]) -> Iterator[Marked]:
    """Yield each model and way of training, by benchmark."""
    models = list(dict.fromkeys(score.model for score in scores if score.model))
    for index, model in enumerate(models):
        for stage in reversed(STAGES):
            found = {
                score.benchmark: score.stages[stage]
                for score in scores
                if score.model == model and stage in score.stages and score.stages[stage].n
            }
            colour = HUES[index % len(HUES)]
            look = {"color": colour, "marker": MARKS[stage][0], "linestyle": DASHES[stage]}
            look["markerfacecolor"] = colour if stage == "finetune" else "none"
            if found:
                yield Marked(f"{model}, {formats.TITLES[stage].lower()}", look, found)


def _by_length(
    stem: str, ordered: list[str], scores: list[Score], shown: list[Marked], paths: list[str]
) -> Figure:
    metric = scores[0].metric
    figure, (axes,) = new(7.0, max(3.0, 0.6 + 0.2 * len(shown)))
    for marked in shown:
        _line(axes, marked, ordered)
    # Lengths stand at even distances: they grow by all kinds of factors.
    sizes = [name.removeprefix(f"{stem}_") for name in ordered]
    axes.set_xticks(range(len(ordered)), sizes)
    axes.margins(x=0.06)
    axes.set(xlabel="length of the windows, nucleotides", ylabel=f"test {metric}")
    legend_beside(axes)
    return Figure(
        name=identifier("by-length", stem),
        title=f"{stem} by length of the windows",
        caption=_caption(shown),
        description="; ".join(map(_in_words, shown)) + ".",
        drawing=rendered(figure),
        data=to_tsv(
            "benchmark method mean sd n",
            (
                (benchmark, marked.label, of.mean, of.sd, of.n)
                for marked in shown
                for benchmark, of in marked.scores.items()
            ),
        ),
        sources=tuple(dict.fromkeys([*sources_of(scores), *paths])),
    )


def _line(axes: Axes, marked: Marked, ordered: list[str]) -> None:
    there = [name for name in ordered if name in marked.scores]
    points = [(ordered.index(name), marked.scores[name]) for name in there]
    texts = [f"{name}\n{_point_in_words(marked, marked.scores[name])}" for name in there]
    style = {"linestyle": ":"} if marked.is_published else {}
    look = {"label": formats.shortened(marked.label, 40)} | style | marked.look
    line_over_seeds(axes, points, texts, look)
