"""The text of matplotlib's axes as annotations of plotly.js, with the lines that lead from it."""

import math
from collections.abc import Iterator
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Annotation, Text

from hyenadna.report.figures.marks import PX, alpha_of, hexes, plain, rounded, text_of

UPRIGHT = {"center": "middle", "center_baseline": "middle", "baseline": "bottom"}

Place = tuple[str, float, float]
"""What a coordinate refers to, its value there, and how many pixels beyond that it lies."""


def annotations(axes: Axes, number: str) -> Iterator[dict[str, Any]]:
    """Yield what is written in axes and around them, as their `number`-th pair of axes has it."""
    for text in axes.texts:
        if text.get_visible():
            yield from _annotation(axes, number, text)
    yield from _titles(axes, number)
    yield from _labels(axes, number)


def leaders(axes: Axes, number: str) -> Iterator[dict[str, Any]]:
    """Yield the lines from texts to what they are about."""
    for text in axes.texts:
        if not (isinstance(text, Annotation) and text.get_visible() and text.arrow_patch):
            continue
        if _has_head(text):
            continue
        ends = [_head(axes, text), _tail(axes, text)]
        shape: dict[str, Any] = {"type": "line", "layer": "below"}
        for of, letter in enumerate("xy"):
            (reference, first, beyond), (_, last, further) = (end[of] for end in ends)
            shape[f"{letter}ref"] = _numbered(reference, number)
            if beyond or further:
                shape |= {
                    f"{letter}sizemode": "pixel", f"{letter}anchor": rounded(first),
                    f"{letter}0": rounded(beyond), f"{letter}1": rounded(further),
                }  # fmt: skip
            else:
                shape |= {f"{letter}0": rounded(first), f"{letter}1": rounded(last)}
        patch = text.arrow_patch
        shape["line"] = {
            "color": hexes(patch.get_edgecolor()), "width": rounded(patch.get_linewidth() * PX)
        }  # fmt: skip
        yield shape


def _titles(axes: Axes, number: str) -> Iterator[dict[str, Any]]:
    places: dict[Literal["left", "center", "right"], float] = {"left": 0, "center": 0.5, "right": 1}
    for place, x in places.items():
        if title := axes.get_title(loc=place):
            texts = (of for of in axes.get_children() if isinstance(of, Text))
            artist = next(of for of in texts if of.get_text() == title)
            yield _within(number, x, 1) | {
                "text": plain(title), "font": font(artist), "xanchor": place, "yanchor": "bottom",
                "yshift": rounded(artist.get_window_extent().y0 - axes.bbox.y1), "name": "title",
            }  # fmt: skip


def font(text: Text) -> dict[str, Any]:
    """Return size and colour of a text."""
    return {"size": rounded(float(text.get_fontsize()) * PX), "color": hexes(text.get_color())}


def _annotation(axes: Axes, number: str, text: Text) -> Iterator[dict[str, Any]]:
    (x_ref, x, right), (y_ref, y, up) = _tail(axes, text)
    note: dict[str, Any] = {
        "xref": _numbered(x_ref, number), "x": rounded(x),
        "yref": _numbered(y_ref, number), "y": rounded(y),
        "showarrow": False, "text": plain(text.get_text()), "font": font(text),
        "xanchor": text.get_horizontalalignment(),
        "yanchor": UPRIGHT.get(text.get_verticalalignment(), text.get_verticalalignment()),
    }  # fmt: skip
    note |= {name: rounded(of) for name, of in (("xshift", right), ("yshift", up)) if of}
    if text.get_rotation():
        note["textangle"] = -text.get_rotation()
    if seen := text_of(text):
        note |= {"hovertext": plain(seen), "captureevents": True}
    if box := text.get_bbox_patch():
        note |= {
            "bordercolor": hexes(box.get_edgecolor()), "borderwidth": rounded(box.get_linewidth()),
            "borderpad": 3,
        }  # fmt: skip
        if alpha_of(box.get_facecolor()) > 0:
            note["bgcolor"] = hexes(box.get_facecolor())
    if isinstance(text, Annotation) and text.arrow_patch and _has_head(text):
        note |= _arrow(axes, number, text, text.arrow_patch)
    if note["text"] or note["showarrow"]:
        yield note


def _arrow(axes: Axes, number: str, text: Annotation, patch: FancyArrowPatch) -> dict[str, Any]:
    """Return what makes an annotation without text an arrow."""
    if text.get_text():
        raise TypeError("no interactive counterpart of an arrow with a text at its end")
    arrow: dict[str, Any] = {"showarrow": True, "arrowhead": 2, "arrowsize": 1, "text": ""}
    arrow |= {
        "arrowcolor": hexes(patch.get_edgecolor()),
        "arrowwidth": rounded(patch.get_linewidth() * PX),
    }
    for letter, tip, end in zip("xy", _head(axes, text), _tail(axes, text), strict=True):
        arrow |= {
            f"{letter}ref": _numbered(tip[0], number), letter: rounded(tip[1]),
            f"a{letter}ref": _numbered(end[0], number), f"a{letter}": rounded(end[1]),
        }  # fmt: skip
    return arrow


def _has_head(text: Annotation) -> bool:
    return ">" in str((text.arrowprops or {}).get("arrowstyle", "-"))


def _head(axes: Axes, text: Annotation) -> tuple[Place, Place]:
    return _places(axes, text.xycoords, text.xy)


def _tail(axes: Axes, text: Text) -> tuple[Place, Place]:
    """Return where a text stands."""
    if not isinstance(text, Annotation):
        data = text.get_transform().contains_branch_seperately(axes.transData)
        known = tuple("data" if of else "axes fraction" for of in data)
        return _places(axes, known, text.get_position())
    if text.anncoords != "offset points":
        return _places(axes, text.anncoords, text.get_position())
    x, y = _head(axes, text)
    right, up = text.get_position()
    return (x[0], x[1], x[2] + right * PX), (y[0], y[1], y[2] + up * PX)


def _places(axes: Axes, coordinates: Any, at: Any) -> tuple[Place, Place]:
    across, up = coordinates if isinstance(coordinates, tuple) else (coordinates, coordinates)
    return _place(axes, across, float(at[0]), of=0), _place(axes, up, float(at[1]), of=1)


def _place(axes: Axes, coordinates: Any, at: float, *, of: int) -> Place:
    """Return the place of a coordinate, across (`of` 0) or up (1).

    What lies outside of the frame is so many pixels from its edge, however large the frame is.
    """
    letter, size = "xy"[of], float(axes.bbox.size[of])
    if coordinates == "axes fraction":
        inside = min(max(at, 0.0), 1.0)
        return f"{letter} domain", inside, (at - inside) * size
    if coordinates != "data":
        raise TypeError(f"no interactive counterpart of text at {coordinates!r}")
    limits = (axes.get_xlim, axes.get_ylim)[of]()
    inside = min(max(at, min(limits)), max(limits))
    if (axes.get_xscale, axes.get_yscale)[of]() == "log":
        inside, at = math.log10(inside), math.log10(at)
        limits = math.log10(limits[0]), math.log10(limits[1])
    return letter, inside, (at - inside) / (limits[1] - limits[0]) * size


def _numbered(reference: str, number: str) -> str:
    """Return a reference to the `number`-th axes: `x2 domain` of `x domain`."""
    return reference[0] + number + reference[1:]


def _within(number: str, x: float, y: float) -> dict[str, Any]:
    return {
        "xref": f"x{number} domain", "yref": f"y{number} domain", "x": x, "y": y,
        "showarrow": False,
    }  # fmt: skip


def _labels(axes: Axes, number: str) -> Iterator[dict[str, Any]]:
    """Yield the names of both axes, and what their numbers are multiples of."""
    x, y = axes.xaxis.label, axes.yaxis.label
    if x.get_text() and x.get_visible():
        below = x.get_window_extent().y1 - axes.bbox.y0
        yield _within(number, x.get_position()[0], 0) | {
            "text": plain(x.get_text()), "font": font(x), "yshift": rounded(below),
            "xanchor": x.get_horizontalalignment(), "yanchor": "top", "name": "xlabel",
        }  # fmt: skip
    if y.get_text() and y.get_visible():
        before = y.get_window_extent().x1 - axes.bbox.x0
        anchors = {"left": "bottom", "right": "top"}
        yield _within(number, 0, y.get_position()[1]) | {
            "text": plain(y.get_text()), "font": font(y), "xshift": rounded(before),
            "textangle": -90, "xanchor": "right", "name": "ylabel",
            "yanchor": anchors.get(y.get_horizontalalignment(), "middle"),
        }  # fmt: skip
    multiple = axes.yaxis.get_offset_text()
    if multiple.get_text():
        yield _within(number, 0, 1) | {
            "text": plain(multiple.get_text()), "font": font(multiple), "xanchor": "left",
            "yanchor": "bottom",
        }  # fmt: skip
