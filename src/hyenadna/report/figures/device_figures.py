"""The same measurement on several machines: our time and that of the usual way, by length."""

from collections.abc import Iterator

from matplotlib.axes import Axes

from hyenadna.report import formats
from hyenadna.report.anchors import identifier
from hyenadna.report.bench import BOTH, CONVOLUTION, MODEL, OURS, PLAIN, TRANSFORMER, Comparison
from hyenadna.report.figures.drawing import HUES, Figure, new, rendered, to_tsv
from hyenadna.report.figures.frames import (
    MARKERS,
    legend_beside,
    name_lengths,
    name_times,
    scale_up,
)
from hyenadna.report.figures.marks import hover
from hyenadna.report.inputs.results import Measurement

IMPLEMENTATIONS = {
    False: ((CONVOLUTION, OURS, "-"), (CONVOLUTION, PLAIN, ":")),
    True: ((MODEL, OURS, "-"), (MODEL, TRANSFORMER, ":")),
}
"""What is drawn of operations and of whole networks, and with which line."""


def by_device(comparisons: list[Comparison]) -> Iterator[Figure]:
    """Draw each shape that was measured on more than one machine."""
    shapes: dict[tuple[bool, int, int], list[Comparison]] = {}
    for comparison in comparisons:
        of = comparison.setting
        if any(_timed(comparison, *key[:2]) for key in IMPLEMENTATIONS[of.of_network]):
            shapes.setdefault((of.of_network, of.batch, of.channels), []).append(comparison)
    for (of_network, batch, channels), those in shapes.items():
        if len({of.setting.machine for of in those}) > 1:
            what = "A training step" if of_network else "The long convolution"
            shape = f"batch {batch}, {formats.plural(channels, 'channel')}"
            name = identifier(
                "devices", MODEL if of_network else CONVOLUTION, f"{batch}x{channels}"
            )
            yield _by_device(name, f"{what} by device: {shape}", those)


def _timed(comparison: Comparison, operation: str, implementation: str) -> list[Measurement]:
    points = comparison.get(operation, implementation, BOTH)
    return [point for point in points.values() if not point.status]


def _by_device(name: str, title: str, comparisons: list[Comparison]) -> Figure:
    rows: list[tuple[str, str, Measurement]] = []
    drawings = IMPLEMENTATIONS[comparisons[0].setting.of_network]
    figure, (axes,) = new(7.0, max(3.0, 0.7 + 0.36 * len(comparisons)))
    for index, comparison in enumerate(comparisons):
        machine = f"{comparison.setting.machine}, {comparison.setting.dtype}"
        for operation, implementation, style in drawings:
            points = _timed(comparison, operation, implementation)
            if points:
                (line,) = axes.plot(
                    [of.length for of in points], [of.median for of in points], linestyle=style,
                    color=HUES[index % len(HUES)], marker=MARKERS[index % len(MARKERS)],
                    label=f"{formats.shortened(machine, 36)}: {implementation}", markersize=4.5,
                    linewidth=1.4, markerfacecolor=None if implementation == OURS else "none",
                )  # fmt: skip
                hover(line, [_in_words(machine, implementation, of) for of in points])
                rows += [(machine, implementation, of) for of in points]
    _frame(axes, {of.length for *_, of in rows})
    return Figure(
        name=name,
        title=title,
        caption="Median of one call, forward and backward, on each machine. Dotted: the usual way "
        "to compute the same, or a Transformer.",
        description="; ".join(
            f"{implementation} on {machine}: {formats.timing(of.median)} at "
            f"{formats.count(of.length)}"
            for machine, implementation, of in rows
        )
        + ".",
        drawing=rendered(figure),
        data=to_tsv(
            "machine implementation length median_seconds low_seconds high_seconds",
            ((*names, of.length, of.median, of.low, of.high) for *names, of in rows),
        ),
        sources=tuple(dict.fromkeys(path for of in comparisons for path in of.files)),
    )


def _frame(axes: Axes, lengths: set[int]) -> None:
    """Set scales and legend."""
    scale_up(axes)
    name_times(axes)
    axes.set_ylabel("time, forward and backward")
    axes.grid(visible=True, axis="both")
    name_lengths(axes, lengths)
    legend_beside(axes)


def _in_words(machine: str, implementation: str, of: Measurement) -> str:
    time = f"{formats.count(of.length)} nucleotides: {formats.timing(of.median)}"
    return f"{implementation}\n{machine}\n{time}"
