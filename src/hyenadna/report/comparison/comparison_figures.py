"""Differences between two results trees as a figure, each with its interval."""

import math

from matplotlib.ticker import MaxNLocator

from hyenadna.report import formats
from hyenadna.report.comparison.differences import Difference
from hyenadna.report.figures.drawing import (
    INK,
    SOFT,
    TUNED,
    Figure,
    name_rows,
    new,
    rendered,
    to_tsv,
)
from hyenadna.report.figures.marks import hover
from hyenadna.report.intervals import LEVEL

MOST = 60
"""Rows that a figure may have; the largest differences are drawn."""


def forest(found: list[Difference]) -> Figure:
    """Draw B minus A of what both have and is not equal, in the order of the table."""
    compared = [of for of in found if of.is_compared and not of.is_nil]
    largest = sorted(compared, key=lambda of: -abs(of.value))[:MOST]
    shown = [of for of in compared if of in largest]
    figure, (axes,) = new(4.9, 0.8 + 0.24 * len(shown))
    axes.axvline(0, color=INK, linewidth=0.8)
    for row, of in enumerate(shown):
        low, high = of.interval
        colour = TUNED if of.is_beyond_chance else SOFT
        if math.isfinite(low):
            axes.plot([low, high], [row, row], color=colour, linewidth=1.4)
        face = colour if of.is_beyond_chance else "none"
        (mark,) = axes.plot(
            of.value, row, "o", color=colour, markerfacecolor=face, markersize=5.5, zorder=3
        )
        hover(mark, _in_words(of))
    name_rows(axes, [formats.shortened(_title(of), 44) for of in shown])
    axes.grid(visible=True, axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(f"B minus A (bar: {LEVEL:.0%} interval)")
    left_out = len(compared) - len(shown)
    return Figure(
        name="differences",
        title="B minus A",
        caption="Right of the line B has the higher mean. Filled: the interval excludes zero. "
        "Without a bar there are too few seeds for an interval. What is equal is left out."
        + (f" The {left_out} smallest differences are in the table only." if left_out else ""),
        description="; ".join(f"{_title(of)} {formats.signed(of.value)}" for of in shown) + ".",
        drawing=rendered(figure),
        data=to_tsv(
            "benchmark model method measure difference low high",
            (
                (of.of.subject, of.of.model, of.of.method, of.of.measure, of.value, *of.interval)
                for of in shown
            ),
        ),
        sources=tuple(dict.fromkeys(path for of in shown for path in of.a.sources + of.b.sources)),
    )


def _title(of: Difference) -> str:
    clean = ", clean" if of.of.measure.endswith(", clean") else ""
    return f"{of.of.subject} · {of.of.model} · {of.of.method.lower()}{clean}"


def _in_words(of: Difference) -> str:
    low, high = of.interval
    reach = f", from {formats.signed(low)} to {formats.signed(high)}" if math.isfinite(low) else ""
    return f"{_title(of)}\n{of.of.measure}: {formats.signed(of.value)}{reach}"
