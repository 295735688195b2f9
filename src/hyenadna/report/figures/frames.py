"""What stands around the marks of several figures: legends, scales, and means over seeds."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from hyenadna.report import formats
from hyenadna.report.figures.marks import hover
from hyenadna.report.scores import Spread

MARKERS = "osD^vP*X"

TICKS = 6
"""Most lengths that are named along the axis."""


def legend_beside(axes: Axes, title: str = "") -> None:
    """Name the lines at the right of their frame."""
    axes.legend(
        title=title or None, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False,
        handlelength=2.6, fontsize=8.5, title_fontsize=8.5, alignment="left",
    )  # fmt: skip


def legend_above(figure: Canvas, handles: Sequence[Artist]) -> None:
    """Name the marks of a whole figure in two columns above it."""
    figure.legend(
        handles=handles, loc="outside upper left", ncols=2, frameon=False, handlelength=1.0
    )


def line_over_seeds(
    axes: Axes, points: Sequence[tuple[float, Spread]], texts: Sequence[str], look: dict[str, Any]
) -> None:
    """Draw a line through means, each with a bar of ± 1 sd, which one seed alone has not.

    Args:
        axes: where.
        points: place along the axis and score, of each mean.
        texts: what a reader sees who points at each.
        look: colour, marker, line and label, as matplotlib names them.
    """
    bars = axes.errorbar(
        [place for place, _ in points], [of.mean for _, of in points],
        yerr=[of.sd if of.n > 1 else 0.0 for _, of in points], linewidth=1.4, elinewidth=0.8,
        markersize=4.5, **look,
    )  # fmt: skip
    hover(bars, texts)


def scale_up(axes: Axes) -> None:
    """Make the upright axis logarithmic, its ticks closer where it spans few powers of ten."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    subs = (1.0, 2.0, 5.0) if high < 100 * low else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(10, subs=subs, numticks=8))
    axes.yaxis.set_minor_locator(NullLocator())


def name_times(axes: Axes) -> None:
    """Write seconds along the upright axis with the unit that suits them."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda at, _: formats.timing(at, digits=1)))


def name_lengths(axes: Axes, lengths: set[int]) -> None:
    """Name some powers of two along the axis, or what was measured where there are none."""
    axes.set_xscale("log")
    low, high = math.log2(min(lengths)), math.log2(max(lengths))
    step = max(1, math.ceil((high - low + 1) / TICKS))
    ticks = [1 << power for power in range(math.ceil(low), math.floor(high) + 1, step)]
    axes.xaxis.set_major_locator(FixedLocator(ticks or sorted(lengths)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: formats.count(at)))
    axes.set_xlabel("length of the sequence, nucleotides")
