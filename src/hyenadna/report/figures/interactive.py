"""Figures for plotly.js, from what matplotlib drew: frames, ticks, texts and legends."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.container import Container, ErrorbarContainer
from matplotlib.figure import Figure as Canvas
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter
from matplotlib.transforms import Bbox

from hyenadna.report.figures.marks import (
    PX,
    alpha_of,
    hexes,
    look_of,
    plain,
    rounded,
    traces,
)
from hyenadna.report.figures.words import annotations, font, leaders

DPI = 96
"""At it a dot is a CSS pixel."""


def plot(figure: Canvas, names: Mapping[str, str]) -> dict[str, Any]:
    """Return data and layout of a figure that was drawn at `DPI`.

    Args:
        figure: what matplotlib drew.
        names: what the theme's colours are called, by their value on paper.
    """
    panels = figure.axes
    frame = Bbox.union([axes.bbox for axes in panels])
    width, height = figure.bbox.width, figure.bbox.height
    layout: dict[str, Any] = {
        "width": rounded(width),
        "height": rounded(height),
        "margin": {
            "l": rounded(frame.x0), "r": rounded(width - frame.x1),
            "b": rounded(frame.y0), "t": rounded(height - frame.y1), "pad": 0,
        },
        "annotations": [], "shapes": [], "barmode": "overlay", "bargap": 0,
        "hovermode": "closest", "showlegend": False,
    }  # fmt: skip
    data: list[dict[str, Any]] = []
    groups = _groups(figure)
    numbered = [(axes, str(index + 1) if index else "") for index, axes in enumerate(panels)]
    for axes, number in numbered:
        layout |= _frame(axes, number, panels, frame)
        for trace in traces(axes, groups):
            data.append(trace | {"xaxis": f"x{number}", "yaxis": f"y{number}"})
        layout["annotations"] += annotations(axes, number)
        layout["shapes"] += leaders(axes, number)
    legends = [
        _placed(figure, of, frame) | {"entries": list(_entries(of, index))}
        for index, of in enumerate(_legends(figure))
    ]
    numeric = [name for axes, number in numbered for name in _numeric(axes, number)]
    square = any(axes.get_aspect() != "auto" for axes in panels)
    layout["meta"] = {"legends": legends, "numeric": numeric, "square": square}
    named: dict[str, Any] = _with_names({"data": data, "layout": layout}, names)
    return named


def _with_names(of: Any, names: Mapping[str, str], *, key: str = "") -> Any:
    """Replace the theme's colours by their names."""
    if isinstance(of, dict):
        return {name: _with_names(value, names, key=name) for name, value in of.items()}
    if isinstance(of, list):
        return [_with_names(value, names, key=key) for value in of]
    return f"@{names[of]}" if key.endswith("color") and of in names else of


def _frame(axes: Axes, number: str, panels: Sequence[Axes], frame: Bbox) -> dict[str, Any]:
    """Return both axes of a panel, its place within the frame of all panels."""
    box = axes.bbox
    x = _axis(axes.xaxis, axes.get_xlim(), axes.get_xscale())
    y = _axis(axes.yaxis, axes.get_ylim(), axes.get_yscale())
    x["domain"] = [rounded((at - frame.x0) / frame.width) for at in (box.x0, box.x1)]
    y["domain"] = [rounded((at - frame.y0) / frame.height) for at in (box.y0, box.y1)]
    x["anchor"], y["anchor"] = f"y{number}", f"x{number}"
    for side, of in (("bottom", x), ("left", y)):
        spine = axes.spines[side]
        if spine.get_visible():
            of |= {"showline": True, "linecolor": hexes(spine.get_edgecolor()), "linewidth": 1}
    first = panels[0]
    if axes is not first and axes.get_shared_x_axes().joined(axes, first):
        x["matches"] = "x"
    return {f"xaxis{number}": x, f"yaxis{number}": y}


def _axis(axis: Axis, limits: tuple[float, float], scale: str) -> dict[str, Any]:
    low, high = sorted(limits)
    within = [of for of in axis.get_major_ticks() if low <= of.get_loc() <= high]
    labels = [of.label1.get_text() if of.label1.get_visible() else "" for of in within]
    logarithmic = scale == "log"
    axis_of: dict[str, Any] = {
        "range": [rounded(math.log10(at) if logarithmic else at) for at in limits],
        "tickmode": "array",
        "tickvals": [rounded(of.get_loc()) for of in within],
        "ticktext": [plain(label) for label in labels],
        "showgrid": any(of.gridline.get_visible() for of in within),
        "zeroline": False,
    }
    if logarithmic:
        axis_of["type"] = "log"
    if not any(labels):
        axis_of["showticklabels"] = False
    if within:
        axis_of |= _ticks(within[0])
    return axis_of


def _numeric(axes: Axes, number: str) -> Iterator[str]:
    """Yield the axes whose ticks may stand anywhere, as plain numbers."""
    for letter, axis, scale in (
        ("x", axes.xaxis, axes.get_xscale()),
        ("y", axes.yaxis, axes.get_yscale()),
    ):
        named = isinstance(axis.get_major_formatter(), FuncFormatter | FixedFormatter)
        if scale != "log" and not named and not isinstance(axis.get_major_locator(), FixedLocator):
            yield f"{letter}axis{number}"


def _ticks(tick: Any) -> dict[str, Any]:
    look: dict[str, Any] = {
        "gridcolor": hexes(tick.gridline.get_color()),
        "gridwidth": 1,
        "tickfont": font(tick.label1),
    }
    if tick.tick1line.get_visible() and tick.tick1line.get_markersize() > 0:
        length = rounded(tick.tick1line.get_markersize() * PX)
        look |= {
            "ticks": "outside",
            "ticklen": length,
            "tickcolor": hexes(tick.tick1line.get_color()),
        }
    if tick.label1.get_rotation():
        look["tickangle"] = -tick.label1.get_rotation()
    return look


def _legends(figure: Canvas) -> list[tuple[Legend, list[Artist], Axes | None]]:
    """Return each legend with its samples, and the axes that it is of if it is not of all."""
    found: list[tuple[Legend, list[Artist], Axes | None]] = []
    for axes in figure.axes:
        if legend := axes.get_legend():
            # The sample of a line with error bars is the bar alone.
            whole = {
                of.get_label(): of[0] for of in axes.containers if isinstance(of, ErrorbarContainer)
            }
            pairs = zip(legend.get_texts(), legend.legend_handles, strict=True)
            samples = [whole.get(text.get_text(), sample) for text, sample in pairs]
            found.append((legend, [of for of in samples if of], axes))
    shared = ((legend, legend.legend_handles) for legend in figure.legends)
    return found + [(legend, [of for of in samples if of], None) for legend, samples in shared]


def _groups(figure: Canvas) -> dict[Artist, str]:
    """Return which entry of a legend each artist belongs to."""
    groups: dict[Artist, str] = {}
    for index, (legend, samples, of) in enumerate(_legends(figure)):
        titles = [text.get_text() for text in legend.get_texts()]
        for axes in [of] if of else figure.axes:
            looks = {_look(sample): title for sample, title in zip(samples, titles, strict=True)}
            for artist in [*axes.lines, *axes.collections, *axes.patches]:
                title = str(artist.get_label())
                title = title if title in titles else looks.get(_look(artist), "")
                if title:
                    groups.setdefault(artist, f"{index} {title}")
            for container in axes.containers:
                if container.get_label() in titles:
                    groups |= dict.fromkeys(_parts(container), f"{index} {container.get_label()}")
    return groups


def _parts(container: Container) -> Iterator[Artist]:
    for part in container:
        if isinstance(part, Artist):
            yield part
        elif part:
            yield from part


def _look(artist: Artist) -> tuple[object, ...]:
    """Return what tells the lines of one entry from those of another."""
    if not isinstance(artist, Line2D):
        return (id(artist),)
    marker = str(artist.get_marker())
    if marker in {"None", "", " "}:
        return hexes(artist.get_color()), str(artist.get_linestyle())
    face = artist.get_markerfacecolor()
    return hexes(artist.get_color()), marker, alpha_of(face) > 0


def _placed(
    figure: Canvas, of: tuple[Legend, list[Artist], Axes | None], frame: Bbox
) -> dict[str, Any]:
    """Return on which side of the frame a legend stands, and where, in CSS pixels from the top."""
    legend, _, axes = of
    box = legend.get_window_extent()
    beside = box.x0 >= frame.x1 - 1
    side = "top" if box.y0 >= frame.y1 - 1 else "bottom" if box.y1 <= frame.y0 + 1 else "inside"
    taken = {"right": box.width, "inside": -8}.get("right" if beside else side, box.height)
    return {
        "side": "right" if beside else side,
        "room": rounded(taken + 8),
        "left": rounded(box.x0),
        "top": rounded(figure.bbox.height - box.y1),
        "size": rounded(float(legend.get_texts()[0].get_fontsize()) * PX),
        "beyond": rounded(box.x0 - frame.x1),
        "title": plain(legend.get_title().get_text()),
        "panel": plain(axes.get_title(loc="left")) if axes else "",
    }


def _entries(of: tuple[Legend, list[Artist], Axes | None], index: int) -> Iterator[dict[str, Any]]:
    """Yield what the entries of a legend are called, which traces are of them, and their look."""
    legend, samples, _ = of
    for sample, text in zip(samples, legend.get_texts(), strict=True):
        name = text.get_text()
        yield look_of(sample) | {"name": plain(name), "group": f"{index} {name}"}
