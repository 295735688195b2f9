"""How figures look, and how they become SVG: files for papers, elements for the page."""

import html
import io
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

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
class Figure:
    """A drawn figure with what a reader needs to use it."""

    name: str
    """File name without its ending, and identifier in the page."""
    title: str
    caption: str
    description: str
    """What it shows in words, for those who cannot see it."""
    svg: str
    """A whole SVG file."""
    data: str
    """The numbers that are drawn, as a TSV file."""
    sources: tuple[str, ...]
    small: bool = False
    """Whether several stand side by side."""


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
    FigureCanvasSVG(figure)
    axes = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)
    return figure, list(axes[:, 0])


def beside(width: float, height: float, count: int) -> tuple[Canvas, list[Axes]]:
    """Return a figure of a size in inches and its axes, side by side."""
    figure = Canvas(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def name_rows(axes: Axes, titles: list[str]) -> None:
    """Set horizontal rows 0, 1, … from the top, with their names at the left."""
    axes.set_yticks(range(len(titles)), titles)
    axes.set_ylim(max(len(titles), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines["left"].set_visible(False)


def to_svg(figure: Canvas) -> str:
    """Return an SVG file without date or program version: the same figure, the same bytes."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing, dpi=150)
    return buffer.getvalue().replace("'DejaVu Sans'", FONTS)


def to_tsv(header: str, rows: Iterable[Sequence[object]]) -> str:
    """Return a TSV file; `header` holds the names of the columns, divided by spaces."""
    lines = [header.split(), *([_entry(value) for value in row] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _entry(value: object) -> str:
    if isinstance(value, float):  # NumPy's too
        return f"{value:.8g}" if math.isfinite(value) else ""
    return " ".join(str(value).split())  # a tab in a name would begin another column


PX_PER_PT = 4 / 3
FONTS = "'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


def for_page(figure: Figure) -> str:
    """Return an SVG element for use within HTML.

    Colours become variables that the page sets for its theme; identifiers get the figure's name in
    front, since all figures of a page share one namespace.
    """
    svg = figure.svg[figure.svg.index("<svg") :]
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{figure.name}-", svg)
    names = {light: name for name, (light, _) in PALETTE.items()}
    svg = re.sub(
        r"((?:fill|stroke): )(#[0-9a-f]{6})",
        lambda match: match[1] + (f"var(--{names[match[2]]})" if match[2] in names else match[2]),
        svg,
    )
    label = html.escape(f"{figure.title}. {figure.description}")
    width = float(svg.split('width="', 1)[1].split("pt", 1)[0]) * PX_PER_PT
    head = f'<svg role="img" aria-label="{label}" style="--natural: {width:.0f}px"'
    return svg.replace("<svg", head, 1)


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


def identifier(*parts: str) -> str:
    """Return a name for files and anchors, of plain letters only and unique to `parts`."""
    joined = ".".join(part for part in parts if part)
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", joined)
    lossy = plain != joined or plain.count(".") >= len(parts)
    return f"{plain}-{zlib.crc32(repr(parts).encode()):08x}" if lossy else plain
