"""The marks of matplotlib's axes as traces of plotly.js: lines, points, bars and areas."""

import copy
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib import colors
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.container import BarContainer, Container, ErrorbarContainer
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Patch
from matplotlib.transforms import Transform
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(N, 2)"""

PX = 4 / 3
"""CSS pixels a point of type."""

SYMBOLS = {
    "o": "circle", "s": "square", "D": "diamond", "d": "diamond-tall", "^": "triangle-up",
    "v": "triangle-down", "<": "triangle-left", ">": "triangle-right", "P": "cross", "X": "x",
    "*": "star", "p": "pentagon", "h": "hexagon", ".": "circle", "+": "cross-thin-open",
    "x": "x-thin-open", "|": "line-ns-open", "_": "line-ew-open",
}  # fmt: skip
STEPS = {"steps": "vh", "steps-pre": "vh", "steps-mid": "hvh", "steps-post": "hv"}

ALONG = np.linspace(0, 1, 25)
"""Where a line through the whole frame answers to the pointer."""

_texts: WeakKeyDictionary[Artist, list[str]] = WeakKeyDictionary()


@dataclass
class Trace:
    """Marks that look alike, which may come from several artists."""

    look: dict[str, Any]
    points: dict[str, list[Any]]
    """Columns with an entry a point, named by their place in the trace."""
    order: float = 0.0
    gaps: bool = field(default=False)
    """Whether the marks of two artists must not be connected."""

    @property
    def may_be_joined(self) -> bool:
        """Whether more marks of this look change none: through a line one sees those below."""
        return not self.gaps or "opacity" not in self.look

    def join(self, other: "Trace") -> None:
        """Take in the marks of another one."""
        for name, values in self.points.items():
            values += [None] * self.gaps + other.points[name]

    def as_json(self) -> dict[str, Any]:
        """Return the trace as plotly.js reads it."""
        trace: dict[str, Any] = copy.deepcopy(self.look)
        for name, values in self.points.items():
            *outer, last = name.split(".")
            (trace.setdefault(outer[0], {}) if outer else trace)[last] = values
        return trace


def hover(artist: Artist | Container, texts: str | Sequence[str]) -> None:
    """Say what a reader sees who points at an artist: a text a point, or one for all of it.

    Texts are plain, their lines parted by "\\n".
    """
    listed = [texts] if isinstance(texts, str) else list(texts)
    if isinstance(artist, BarContainer):
        bars = artist.patches
        for bar, text in zip(bars, listed * len(bars) if len(listed) == 1 else listed, strict=True):
            _texts[bar] = [text]
    elif isinstance(artist, ErrorbarContainer):
        _texts[artist.lines[0]] = listed
    elif isinstance(artist, Artist):
        _texts[artist] = listed
    else:
        raise TypeError(f"{type(artist).__name__} has no place to point at")


def text_of(artist: Artist) -> str:
    """Return what is seen by who points at an artist that is one mark."""
    return "\n".join(_texts.get(artist, []))


def plain(text: str) -> str:
    """Return text for plotly.js, which reads some HTML."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace("\n", "<br>")


def traces(axes: Axes, groups: Mapping[Artist, str]) -> list[dict[str, Any]]:
    """Return the marks of axes, those below first.

    Args:
        axes: what holds them.
        groups: which entry of a legend an artist belongs to.
    """
    joined: dict[str, Trace] = {}
    for artist in sorted(_marks(axes), key=lambda of: of.get_zorder()):
        for trace in _converter(artist)(axes, artist):
            if artist in groups:
                trace.look["legendgroup"] = groups[artist]
            trace.order = artist.get_zorder()
            key = json.dumps([trace.order, sorted(trace.points), trace.look], sort_keys=True)
            if key in joined and trace.may_be_joined:
                joined[key].join(trace)
            else:
                joined[key if trace.may_be_joined else f"{key} {len(joined)}"] = trace
    orders = sorted({trace.order for trace in joined.values()})
    if any(trace.look.get("type") == "bar" for trace in joined.values()):
        # Without being told, plotly.js draws bars below all else.
        for trace in joined.values():
            trace.look["zorder"] = orders.index(trace.order)
    return [trace.as_json() for trace in joined.values()]


def _marks(axes: Axes) -> Iterator[Artist]:
    """Yield what is drawn within the frame and is not text."""
    of_frame: set[Artist | None] = {
        *axes.spines.values(),
        axes.xaxis,
        axes.yaxis,
        axes.patch,
        axes.get_legend(),
    }
    of_frame |= {*axes.texts, axes.title, *axes.artists}
    for artist in axes.get_children():
        if artist.get_visible() and artist not in of_frame and not _is_title(axes, artist):
            yield artist


def _is_title(axes: Axes, artist: Artist) -> bool:
    return artist in {vars(axes).get("_left_title"), vars(axes).get("_right_title")}


def _converter(artist: Artist) -> Callable[[Axes, Any], Iterator[Trace]]:
    for kind, convert in CONVERTERS.items():
        if isinstance(artist, kind):
            return convert
    raise TypeError(f"no interactive counterpart of {type(artist).__name__}")


def _line(axes: Axes, line: Line2D) -> Iterator[Trace]:
    points = np.column_stack([line.get_xdata(orig=False), line.get_ydata(orig=False)])
    texts = _texts.get(line)
    across, up = line.get_transform().contains_branch_seperately(axes.transData)
    if len(points) == 2 and across != up:
        points = points[0] + ALONG[:, None] * (points[1] - points[0])
        texts = texts and [texts[0]] * len(points)
    points = in_data(axes, line.get_transform(), points)
    look = _look(line)
    if look and len(points):
        if not line.get_clip_on():
            look["cliponaxis"] = False
        yield _trace(look, points, texts, gaps="line" in look)


def _look(line: Line2D) -> dict[str, Any]:
    """Return how a line and its markers look; nothing of one that cannot be seen."""
    nothing = {"None", "", " "}
    marker = str(line.get_marker())
    lined = line.get_linestyle() not in nothing and line.get_linewidth() > 0
    parts = ["lines"] * lined + ["markers"] * (marker not in nothing)
    look: dict[str, Any] = {"mode": "+".join(parts)} if parts else {}
    if lined:
        # What `get_linestyle` returns does not tell one pattern of dashes from another.
        dashes = _dashes(vars(line)["_dash_pattern"][1])
        look["line"] = _stroke(line.get_color(), line.get_linewidth()) | dashes
        if line.get_drawstyle() in STEPS:
            look["line"]["shape"] = STEPS[line.get_drawstyle()]
    if marker not in nothing:
        look["marker"] = _marker(line, marker)
    alpha = line.get_alpha()
    alpha = alpha_of(line.get_color()) if alpha is None else alpha
    if parts and alpha < 1:
        (look if lined else look["marker"])["opacity"] = rounded(alpha)
    return look


def _marker(line: Line2D, marker: str) -> dict[str, Any]:
    symbol, edge = SYMBOLS[marker], line.get_markeredgewidth()
    size = line.get_markersize() * (0.5 if marker == "." else 1.0)
    if symbol.endswith("open") or colors.to_rgba(line.get_markerfacecolor())[3] == 0:
        return {
            "symbol": symbol.removesuffix("-open") + "-open",
            "size": rounded(size * PX),
            **{"color": hexes(line.get_markeredgecolor()), "line": {"width": rounded(edge * PX)}},
        }
    # matplotlib draws the edge around it, half of it outside.
    return {
        "symbol": symbol,
        "size": rounded((size + edge) * PX),
        "color": hexes(line.get_markerfacecolor()),
    }


def look_of(sample: Artist) -> dict[str, Any]:
    """Return the look of an entry of a legend."""
    if isinstance(sample, LineCollection):
        (trace,) = _drawn_through(sample, [np.zeros((2, 2))])
        return trace.look
    if isinstance(sample, Patch):
        marker = {"symbol": "square", "size": 12, "color": hexes(sample.get_facecolor())}
        return {"mode": "markers", "marker": marker | {"opacity": alpha_of(sample.get_facecolor())}}
    if isinstance(sample, PathCollection):
        (trace,) = _scattered(sample, np.zeros((1, 2)))
        return trace.look
    if not isinstance(sample, Line2D):
        raise TypeError(f"no interactive counterpart of {type(sample).__name__} in a legend")
    return _look(sample)


def _points(_axes: Axes, of: PathCollection) -> Iterator[Trace]:
    return _scattered(of, np.ma.filled(np.ma.asarray(of.get_offsets(), float), np.nan))


def _scattered(of: PathCollection, points: Points) -> Iterator[Trace]:
    if not len(points):
        return
    edges = colors.to_rgba_array(of.get_edgecolor())
    edge = float(np.max(of.get_linewidth())) if len(edges) else 0.0
    faces = colors.to_rgba_array(of.get_facecolor())
    hollow = not len(faces)
    shades = edges if hollow else faces
    sizes = (np.sqrt(of.get_sizes()) + (0 if hollow else edge)) * PX
    marker: dict[str, Any] = {"symbol": _symbol(of) + "-open" * hollow}
    if hollow:
        marker["line"] = {"width": rounded(edge * PX)}
    columns: dict[str, list[Any]] = {}
    looks: dict[str, list[Any]] = {
        "color": [hexes(shade) for shade in shades],
        "size": [rounded(size) for size in sizes],
        "opacity": [rounded(shade[3]) for shade in shades],
    }
    for name, values in looks.items():
        if len(set(values)) == 1:
            marker[name] = values[0]
        else:
            columns[f"marker.{name}"] = values
    trace = _trace({"mode": "markers", "marker": marker}, points, _texts.get(of))
    trace.points |= columns
    yield trace


def _symbol(of: PathCollection) -> str:
    """Return the symbol whose outline the points have."""
    outline = of.get_paths()[0].vertices
    for marker, symbol in SYMBOLS.items():
        style = MarkerStyle(marker)
        known = style.get_path().transformed(style.get_transform()).vertices
        if np.shape(known) == np.shape(outline) and np.allclose(known, outline):
            return symbol.removesuffix("-open")
    raise TypeError("no interactive counterpart of this marker")


def _segments(axes: Axes, of: LineCollection) -> Iterator[Trace]:
    lines = [np.asarray(segment, float) for segment in of.get_segments()]
    return _drawn_through(of, [in_data(axes, of.get_transform(), line) for line in lines])


def _drawn_through(of: LineCollection, lines: list[Points]) -> Iterator[Trace]:
    shades, widths = colors.to_rgba_array(of.get_colors()), np.atleast_1d(of.get_linewidth())
    dashes: Any = of.get_linestyle()
    texts = _texts.get(of)
    for index, points in enumerate(lines):
        shade = shades[index % len(shades)]
        stroke = _stroke(shade, float(widths[index % len(widths)]))
        look: dict[str, Any] = {
            "mode": "lines",
            "line": stroke | _dashes(dashes[index % len(dashes)][1]),
        }
        if alpha_of(shade) < 1:
            look["opacity"] = rounded(alpha_of(shade))
        text = texts and [texts[index % len(texts)]] * len(points)
        yield _trace(look, points, text, gaps=True)


def _areas(axes: Axes, of: PolyCollection) -> Iterator[Trace]:
    shades, texts = colors.to_rgba_array(of.get_facecolor()), _texts.get(of)
    for index, path in enumerate(of.get_paths()):
        points = in_data(axes, of.get_transform(), np.asarray(path.vertices, float))
        text = texts[index % len(texts)] if texts else ""
        shade = shades[index % len(shades)] if len(shades) else np.zeros(4)
        yield _area(axes, points, shade, text)


def _patch(axes: Axes, patch: Patch) -> Iterator[Trace]:
    path = patch.get_path()
    points = in_data(axes, patch.get_transform(), np.concatenate(path.to_polygons()))
    look = _area(axes, points, patch.get_facecolor(), text_of(patch))
    if patch.get_linewidth() > 0 and alpha_of(patch.get_edgecolor()) > 0:
        edge = _stroke(patch.get_edgecolor(), patch.get_linewidth())
        (look.look["marker"] if look.look.get("type") == "bar" else look.look)["line"] = edge
    if patch.get_gid() and look.look.get("type") == "bar":
        look.points["customdata"] = [patch.get_gid()]
    yield look


def _area(axes: Axes, points: Points, shade: Any, text: str) -> Trace:
    """Return a filled outline: a bar where it is upright, so that it answers as a whole."""
    low, high = points.min(axis=0), points.max(axis=0)
    corners = np.isclose(points, low) | np.isclose(points, high)
    texts = [text] if text else None
    if not corners.all():
        look: dict[str, Any] = {"mode": "lines", "fill": "toself", "fillcolor": hexes(shade)}
        look |= {"line": {"width": 0}, "opacity": rounded(alpha_of(shade)), "hoveron": "fills"}
        trace = _trace(look, points, None, gaps=True)
        if text:
            trace.look |= {"text": plain(text), "hoverinfo": "text"}
        return trace
    look = {"type": "bar", "marker": {"color": hexes(shade), "line": {"width": 0}}}
    along = 0 if axes.get_xscale() == "log" else 1
    look["orientation"] = "hv"[along]
    middle, size = (low + high) / 2, high - low
    middle[along] = size[along]
    trace = _trace(look, middle[None, :], texts)
    trace.points |= {"base": [rounded(low[along])], "width": [rounded(size[1 - along])]}
    trace.points["marker.opacity"] = [rounded(alpha_of(shade))]
    return trace


CONVERTERS: dict[type[Artist], Callable[[Axes, Any], Iterator[Trace]]] = {
    Line2D: _line,
    PathCollection: _points,
    LineCollection: _segments,
    PolyCollection: _areas,
    Patch: _patch,
}


def _trace(
    look: dict[str, Any], points: Points, texts: list[str] | None, *, gaps: bool = False
) -> Trace:
    columns: dict[str, list[Any]] = {
        "x": [rounded(of) for of in points[:, 0]],
        "y": [rounded(of) for of in points[:, 1]],
    }
    if texts:
        every = texts * len(points) if len(texts) == 1 else texts
        if len(every) != len(points):
            raise ValueError(f"{len(texts)} texts for {len(points)} marks")
        columns["hovertext"] = [plain(text) for text in every]
    look["hoverinfo"] = "text" if texts else "skip"
    return Trace(look, columns, gaps=gaps)


def in_data(axes: Axes, transform: Transform, points: Points) -> Points:
    """Return points (N, 2) in the coordinates of the axes' data."""
    if transform == axes.transData:
        return points
    return np.asarray(axes.transData.inverted().transform(transform.transform(points)), float)


def _stroke(shade: Any, width: float) -> dict[str, Any]:
    return {"color": hexes(shade), "width": rounded(width * PX)}


def _dashes(pattern: Sequence[float] | None) -> dict[str, Any]:
    return {"dash": ",".join(f"{rounded(of * PX)}px" for of in pattern)} if pattern else {}


def hexes(shade: Any) -> str:
    """Return a colour without its opacity."""
    return colors.to_hex(shade, keep_alpha=False)


def alpha_of(shade: Any) -> float:
    """Return the opacity of a colour."""
    return float(colors.to_rgba(shade)[3])


def rounded(value: float) -> float | int | None:
    """Return a number as short as a drawing needs it; what is none is a gap."""
    if not math.isfinite(value):
        return None
    short = float(f"{value:.5g}")
    return int(short) if short.is_integer() else short
