"""How figures look, and what becomes of one: files for papers, an interactive plot for the page."""

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from hyenadna.report import tsv
from hyenadna.report.figures import interactive
from hyenadna.report.inputs.outcomes import Floats

PALETTE = {  # name: (on white paper, on a dark screen)
    "ink": ("#1d2329", "#e4e7e4"),
    "soft": ("#5f6873", "#a3abb3"),
    "grid": ("#e3e6e3", "#2c3238"),
    "faint": ("#a9cbd9", "#2f5666"),
    "tuned": ("#0a6285", "#62bfe0"),
    "scratch": ("#b4530a", "#ef9d57"),
    "probe": ("#6b4fa0", "#b39be6"),
    "other": ("#98a0a8", "#747d86"),
    # Okabe and Ito's hues, which readers with any colour vision can tell apart.
    "hue0": ("#0072b2", "#4aa8e0"),
    "hue1": ("#d55e00", "#f08b45"),
    "hue2": ("#009e73", "#2fc79b"),
    "hue3": ("#cc79a7", "#df9cc2"),
    "hue4": ("#e69f00", "#f0b840"),
    "hue5": ("#56b4e9", "#8fd0f5"),
    "hue6": ("#7a5c3a", "#c3a27c"),
}
HUES = tuple(light for name, (light, _) in PALETTE.items() if name.startswith("hue"))
INK, SOFT, GRID, FAINT, TUNED, SCRATCH, PROBE, OTHER = (
    light for name, (light, _) in PALETTE.items() if not name.startswith("hue")
)

NAMES = {light: name for name, (light, _) in PALETTE.items()}
"""What the colours on paper are called."""

PNG_DPI = 300
"""Dots an inch that journals ask for."""

PNG_LEVEL = 3
"""Of compression: the usual 6 takes a third longer than all the drawing and saves a tenth."""

FONTS = "'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"

STYLE: dict[Any, Any] = {
    "axes.edgecolor": SOFT,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so layout is the same everywhere
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",  # text stays text: it can be searched, read aloud and edited
    "svg.hashsalt": "hyenadna",
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "xtick.color": SOFT,
    "xtick.labelsize": 8.5,
    "ytick.color": SOFT,
    "ytick.labelsize": 8.5,
    "ytick.major.size": 0,
}


@dataclass(frozen=True)
class Drawing:
    """What matplotlib drew, for papers and for the page."""

    svg: str
    """A whole SVG file."""
    png: bytes
    """A PNG file with the resolution that journals ask for."""
    plot: dict[str, Any]
    """The same for plotly.js: its data and layout, colours as `@name` of the palette."""


@dataclass(frozen=True)
class Figure:
    """A drawn figure with what a reader needs to use it."""

    name: str
    """File name without its ending, and identifier in the page."""
    title: str
    caption: str
    description: str
    """What it shows in words, for those who cannot see it."""
    drawing: Drawing
    data: str
    """The numbers that are drawn, as a TSV file."""
    sources: tuple[str, ...]
    small: bool = False
    """Whether several stand side by side."""
    benchmark: str = ""
    """The one that it is of, if it is of one."""
    model: str = ""
    section: str = ""
    """The folder of its files."""

    @property
    def svg(self) -> str:
        """A whole SVG file."""
        return self.drawing.svg

    @property
    def path(self) -> str:
        """Where its files are within the results, without their endings."""
        return f"figures/{self.section}/{self.name}"


@contextmanager
def style() -> Iterator[None]:
    """Draw in this report's style."""
    with mpl.rc_context(STYLE):
        yield


def new(
    width: float, height: float, *, ratios: Sequence[float] = (1,)
) -> tuple[Canvas, list[Axes]]:
    """Return a figure of a size in inches and its axes, stacked with heights in these ratios."""
    figure = Canvas(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)
    return figure, list(axes[:, 0])


def beside(width: float, height: float, count: int) -> tuple[Canvas, list[Axes]]:
    """Return a figure of a size in inches and its axes, side by side."""
    figure = Canvas(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def name_rows(axes: Axes, titles: list[str]) -> None:
    """Set horizontal rows 0, 1, … from the top, with their names at the left."""
    axes.set_yticks(range(len(titles)), titles)
    axes.set_ylim(max(len(titles), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines["left"].set_visible(False)


def bends(x: Floats, y: Floats, within: float) -> list[int]:
    """Return the points (N,) that a line needs to pass no further than `within` from any other.

    Args:
        x: (N,), in the same unit as `y`.
        y: (N,).
        within: distance, in that unit.
    """
    kept, spans = {0, len(x) - 1}, [(0, len(x) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        dx, dy = x[last] - x[first], y[last] - y[first]
        beside = np.s_[first + 1 : last]
        from_x, from_y = x[beside] - x[first], y[beside] - y[first]
        length = math.hypot(dx, dy)
        off = abs(dx * from_y - dy * from_x) / length if length else np.hypot(from_x, from_y)
        furthest = int(off.argmax())
        if off[furthest] > within:
            middle = first + 1 + furthest
            kept.add(middle)
            spans += [(first, middle), (middle, last)]
    return sorted(kept)


def rendered(figure: Canvas) -> Drawing:
    """Return what was drawn: the same figure, the same bytes."""
    figure.set_dpi(interactive.DPI)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it has done its work, and takes longer than the drawing
    plot = interactive.plot(figure, NAMES)
    return Drawing(svg=_svg(figure), png=_png(figure), plot=plot)


def _png(figure: Canvas) -> bytes:
    """Return a PNG file on white, without date or program version."""
    buffer = io.BytesIO()
    figure.set_dpi(PNG_DPI)
    figure.set_facecolor("white")
    canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
    canvas.print_png(buffer, metadata={"Software": None}, pil_kwargs={"compress_level": PNG_LEVEL})
    return buffer.getvalue()


def _svg(figure: Canvas) -> str:
    """Return an SVG file without date or program version."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.set_dpi(150)
    # Not `savefig`, which draws everything once more before it draws.
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata=nothing)
    return buffer.getvalue().replace("'DejaVu Sans'", FONTS)


def to_tsv(header: str, rows: Iterable[Sequence[object]]) -> str:
    """Return a TSV file; `header` holds the names of the columns, divided by spaces."""
    return tsv.joined([header.split(), *([_entry(value) for value in row] for row in rows)])


def _entry(value: object) -> str:
    if isinstance(value, float):  # NumPy's too
        return f"{value:.8g}" if math.isfinite(value) else ""
    return tsv.cell(str(value))


def spread_out(positions: list[float], gap: float) -> list[float]:
    """Move labels as little as possible so that neighbours are at least `gap` apart.

    `positions` ascend. Without the gaps this is isotonic regression: pool what violates the order.
    """
    pools: list[list[float]] = []
    for index, position in enumerate(positions):
        pools.append([position - index * gap])
        while len(pools) > 1 and _mean(pools[-2]) > _mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    level = [_mean(pool) for pool in pools for _ in pool]
    return [base + index * gap for index, base in enumerate(level)]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
