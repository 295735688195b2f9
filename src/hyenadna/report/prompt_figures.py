"""In-context learning as figures: accuracy by tokens of the prompt, by shots, by samples."""

import math
from collections.abc import Iterator

from matplotlib.axes import Axes

from hyenadna.report import formats
from hyenadna.report.bench_figures import MARKERS
from hyenadna.report.drawing import HUES, SOFT, Figure, identifier, new, to_svg, to_tsv
from hyenadna.report.task_tables import AXES, PLACES, Prompting


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
        points = [
            (places.index(at[x_at]), score)
            for at, score in of.scores.items()
            if at[line_at] == line
        ]
        x, means = [place for place, _ in points], [score.mean for _, score in points]
        errors = [score.sd if score.n > 1 else 0.0 for _, score in points]
        axes.errorbar(
            x, means, yerr=errors, label=formats.count(line), color=HUES[index % len(HUES)],
            marker=MARKERS[index % len(MARKERS)], markersize=4.5, linewidth=1.4, elinewidth=0.8,
        )  # fmt: skip
        words.append(
            f"{formats.count(line)} {lines}: {formats.score(means[0])} at "
            f"{formats.count(places[x[0]])}, {formats.score(means[-1])} at "
            f"{formats.count(places[x[-1]])} {across}"
        )
    if math.isfinite(of.majority):
        axes.axhline(
            of.majority, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), label="majority class"
        )
        words.append(f"majority class {formats.score(of.majority)}")
    axes.set_xticks(range(len(places)), [formats.count(place) for place in places])
    axes.set(xlabel=across, ylabel=f"test {formats.shortened(of.metric)}")
    _legend(axes, lines)
    return Figure(
        name=identifier("prompting", of.method, of.benchmark, of.model, of.metric),
        title=of.title,
        caption=f"Mean over seeds, bars ± 1 sd; one line for each number of {lines}. Dashed: "
        "always the commonest class.",
        description="; ".join(words) + ".",
        svg=to_svg(figure),
        data=to_tsv(
            "prompt_tokens shots tuning_samples mean sd n",
            ((*at, score.mean, score.sd, score.n) for at, score in of.scores.items()),
        ),
        sources=of.sources,
    )


def _legend(axes: Axes, title: str) -> None:
    axes.margins(x=0.05)
    axes.legend(
        title=title, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5,
        title_fontsize=8.5, alignment="left",
    )  # fmt: skip
