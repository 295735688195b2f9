"""In-context learning as figures: accuracy by tokens of the prompt, by shots, by samples."""

import math
from collections.abc import Iterator

from matplotlib.axes import Axes

from hyenadna.report import formats
from hyenadna.report.anchors import identifier
from hyenadna.report.figures.drawing import HUES, SOFT, Figure, new, rendered, to_tsv
from hyenadna.report.figures.frames import MARKERS, legend_beside, line_over_seeds
from hyenadna.report.figures.marks import hover
from hyenadna.report.tables.task_tables import AXES, PLACES, Prompting


def curves(of: list[Prompting]) -> Iterator[Figure]:
    """Draw each method of each benchmark."""
    for prompting in of:
        if prompting.method in AXES:
            yield _curve(prompting, *AXES[prompting.method])


def _curve(of: Prompting, across: str, lines: str) -> Figure:
    figure, (axes,) = new(7.0, 2.9)
    # Numbers double from step to step, so they stand at even distances.
    x_at, line_at = PLACES.index(across), PLACES.index(lines)
    places = sorted({at[x_at] for at in of.scores})
    words = []
    for index, line in enumerate(sorted({at[line_at] for at in of.scores})):
        chosen = {at[x_at]: score for at, score in of.scores.items() if at[line_at] == line}
        points = [(places.index(place), score) for place, score in chosen.items()]
        texts = [
            f"{formats.count(places[place])} {across}, {formats.count(line)} {lines}\n"
            f"{of.metric} {formats.spread(score)}, {formats.seeds(score)}"
            for place, score in points
        ]
        look = {"color": HUES[index % len(HUES)], "marker": MARKERS[index % len(MARKERS)]}
        line_over_seeds(axes, points, texts, {"label": formats.count(line), **look})
        ends = (
            f"{formats.score(score.mean)} at {formats.count(places[place])}"
            for place, score in (points[0], points[-1])
        )
        words.append(f"{formats.count(line)} {lines}: {', '.join(ends)} {across}")
    if math.isfinite(of.majority):
        _majority(axes, of)
        words.append(f"majority class {formats.score(of.majority)}")
    axes.set_xticks(range(len(places)), [formats.count(place) for place in places])
    _frame(axes, of.metric, across, lines)
    return Figure(
        name=identifier("prompting", of.method, of.benchmark, of.model, of.metric),
        title=of.title,
        caption=f"Mean over seeds, bars ± 1 sd; one line for each number of {lines}. Dashed: "
        "always the commonest class.",
        description="; ".join(words) + ".",
        drawing=rendered(figure),
        data=to_tsv(
            "prompt_tokens shots tuning_samples mean sd n",
            ((*at, score.mean, score.sd, score.n) for at, score in of.scores.items()),
        ),
        sources=of.sources,
        benchmark=of.benchmark,
        model=of.model,
    )


def _majority(axes: Axes, of: Prompting) -> None:
    line = axes.axhline(
        of.majority, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), label="majority class"
    )
    hover(line, f"always the commonest class\n{of.metric} {formats.score(of.majority)}")


def _frame(axes: Axes, metric: str, across: str, lines: str) -> None:
    axes.set(xlabel=across, ylabel=f"test {formats.shortened(metric)}")
    axes.margins(x=0.05)
    legend_beside(axes, lines)
