"""Time, and of networks also memory, against the length of the sequence, on logarithmic axes."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from hyenadna.report import formats
from hyenadna.report.bench import (
    ATTENTION,
    CONVOLUTION,
    DIRECTIONS,
    MODEL,
    OURS,
    PLAIN,
    TITLES,
    TRANSFORMER,
    Comparison,
    Series,
)
from hyenadna.report.figures.drawing import HUES, TUNED, Figure, new, rendered, to_tsv
from hyenadna.report.figures.frames import (
    MARKERS,
    legend_beside,
    name_lengths,
    name_times,
    scale_up,
)
from hyenadna.report.figures.marks import hover
from hyenadna.report.inputs.results import Measurement


def by_length(comparisons: list[Comparison]) -> Iterator[Figure]:
    """Draw each setting that has times."""
    named = Counter[str]()
    for comparison in comparisons:
        if any(series.timed for series in comparison.series):
            of_network = comparison.setting.of_network
            name = "training-step-by-length" if of_network else "cost-by-length"
            named[name] += 1
            name += f"-{named[name]}" if named[name] > 1 else ""
            yield (_of_networks if of_network else _of_operations)(name, comparison)


def _of_networks(name: str, comparison: Comparison) -> Figure:
    """Draw the time of a training step and the memory that it takes."""
    shown = [series for series in comparison.series if series.timed]
    with_memory = [series for series in shown if any(of.peak_bytes > 0 for of in series.timed)]
    figure, panels = new(7.0, 3.3 + 2.7 * bool(with_memory), ratios=[1] * (1 + bool(with_memory)))
    looks = _looks(shown)
    for series in shown:
        _draw(panels[0], comparison, series, looks[series.operation, series.implementation])
    _frame(panels[0], "time, forward and backward", sloped=any(of.slope for of in shown))
    for series in with_memory:
        points = [of for of in series.timed if of.peak_bytes > 0]
        (line,) = panels[1].plot(
            [of.length for of in points], [of.peak_bytes for of in points], markersize=4.5,
            label=formats.shortened(series.implementation),
            **looks[series.operation, series.implementation],
        )  # fmt: skip
        hover(line, _points_in_words(comparison, series, points))
    if with_memory:
        _frame(panels[1], "memory beyond weights and gradients", sloped=False)
        panels[1].yaxis.set_major_formatter(FuncFormatter(lambda at, _: formats.memory(at)))
    name_lengths(panels[-1], {of.length for series in shown for of in series.timed})
    setting = comparison.setting
    return Figure(
        name=name,
        title=f"A training step against length: {setting.shape}",
        caption="Two layers, forward and backward with gradient checkpointing, on "
        f"{setting.machine}; {comparison.versions}. Medians; bars are quartiles where they reach "
        f"beyond the mark. {_about_slopes(shown)}",
        description=". ".join(_in_words(series) for series in shown) + ".",
        drawing=rendered(figure),
        data=_times(shown),
        sources=comparison.files,
    )


def _of_operations(name: str, comparison: Comparison) -> Figure:
    """Draw the time of each operation, forward and with backward."""
    shown = [series for series in comparison.series if series.timed]
    directions = [of for of in DIRECTIONS if any(series.direction == of for series in shown)]
    figure, panels = new(7.0, 0.6 + 2.7 * len(directions), ratios=[1] * len(directions))
    looks = _looks(shown)
    for axes, direction in zip(panels, directions, strict=True):
        panel = [series for series in shown if series.direction == direction]
        for series in panel:
            _draw(axes, comparison, series, looks[series.operation, series.implementation])
        _frame(axes, DIRECTIONS[direction], sloped=any(series.slope for series in panel))
    name_lengths(panels[-1], {of.length for series in shown for of in series.timed})
    setting = comparison.setting
    return Figure(
        name=name,
        title=f"Time against length: {setting.shape}",
        caption=f"Median of one call on {setting.machine}; {comparison.versions}. Bars are "
        f"quartiles where they reach beyond the mark. {_about_slopes(shown)}",
        description=". ".join(_in_words(series) for series in shown) + ".",
        drawing=rendered(figure),
        data=_times(shown),
        sources=comparison.files,
    )


def _times(shown: list[Series]) -> str:
    """Return every time that is drawn, as a TSV file."""
    header = (
        "operation implementation direction length median_seconds low_seconds high_seconds "
        "peak_bytes slope"
    )
    rows = (
        (
            *series.key, of.length, of.median, of.low, of.high, of.peak_bytes,
            series.slope.slope if series.slope else "",
        )
        for series in shown
        for of in series.timed
    )  # fmt: skip
    return to_tsv(header, rows)


def _looks(shown: list[Series]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return colour, marker and line of each implementation, the same in every panel."""
    looks: dict[tuple[str, str], dict[str, Any]] = {}
    for key in dict.fromkeys((series.operation, series.implementation) for series in shown):
        index = len(looks)
        ours = key[1] == OURS
        looks[key] = {
            "color": TUNED if ours else HUES[index % len(HUES)],
            "marker": MARKERS[index % len(MARKERS)],
            "linestyle": "--" if ATTENTION in key or TRANSFORMER in key else "-",
            "linewidth": 2.0 if ours else 1.2,
            "zorder": 4 if ours else 3,
        }
    return looks


def _draw(axes: Axes, comparison: Comparison, series: Series, look: dict[str, Any]) -> None:
    lengths = [of.length for of in series.timed]
    medians = [of.median for of in series.timed]
    reach = [
        [_reach(of.median - of.low) for of in series.timed],
        [_reach(of.high - of.median) for of in series.timed],
    ]
    label = formats.shortened(series.implementation)
    if series.slope:
        label += f" ({series.slope.slope:.2f})"
    bars = axes.errorbar(
        lengths, medians, yerr=reach, label=label, markersize=4.5, elinewidth=1.2, **look
    )
    hover(bars[0], _points_in_words(comparison, series, series.timed))


def _points_in_words(
    comparison: Comparison, series: Series, points: list[Measurement]
) -> list[str]:
    transformer = comparison.get(MODEL, TRANSFORMER, series.direction)
    return [_point_in_words(series, of, transformer.get(of.length)) for of in points]


def _point_in_words(series: Series, of: Measurement, theirs: Measurement | None) -> str:
    time = formats.timing(of.median)
    if math.isfinite(of.low) and math.isfinite(of.high):
        time += f" (quartiles {formats.timings(of.low, of.high)})"
    lines = (
        f"{series.implementation}, {DIRECTIONS.get(series.direction, series.direction)}",
        f"{formats.count(of.length)} nucleotides: {time}",
        f"memory {formats.memory(of.peak_bytes)}" if of.peak_bytes > 0 else "",
        _ratio_in_words(of, theirs),
    )
    return "\n".join(filter(None, lines))


def _ratio_in_words(of: Measurement, transformer: Measurement | None) -> str:
    """Say how many times as long the plain implementation takes, or the Transformer."""
    if of.operation == CONVOLUTION and of.ratio_to_plain > 0:
        return f"{PLAIN} takes {formats.times(of.ratio_to_plain)} as long"
    if of.operation == MODEL and transformer and transformer != of and transformer.median > 0:
        return f"the Transformer takes {formats.times(transformer.median / of.median)} as long"
    return ""


def _reach(seconds: float) -> float:
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _frame(axes: Axes, title: str, *, sloped: bool) -> None:
    """Set scales, title and legend of a panel."""
    scale_up(axes)
    axes.set_title(title, loc="left", fontsize=9)
    name_times(axes)
    axes.grid(visible=True, axis="both")
    legend_beside(axes, "in brackets the slope" if sloped else "")


def _about_slopes(shown: list[Series]) -> str:
    ranges = {(of.slope.low_length, of.slope.high_length) for of in shown if of.slope}
    if not ranges:
        return ""
    spans = (f"{formats.count(low)} to {formats.count(high)}" for low, high in sorted(ranges))
    return (
        "A slope of 1 is time in proportion to length, 2 to its square; fitted over "
        f"{', '.join(spans)}."
    )


def _in_words(series: Series) -> str:
    first, last = series.timed[0], series.timed[-1]
    title = TITLES.get(series.operation, series.operation)
    text = f"{title} by {series.implementation}, {series.direction}: {formats.timing(first.median)}"
    text += f" at {formats.count(first.length)}"
    if last is not first:
        text += f", {formats.timing(last.median)} at {formats.count(last.length)}"
    return text + (f", slope {series.slope.slope:.2f}" if series.slope else "")
