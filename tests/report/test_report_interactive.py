"""Figures for plotly.js: the same marks, frames and texts as matplotlib drew."""

import json

import numpy as np
import pytest
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from hyenadna.report.figures.drawing import HUES, INK, SOFT, TUNED, beside, new, rendered, style
from hyenadna.report.figures.marks import hover


@pytest.fixture
def axes():
    """A frame to draw in."""
    with style():
        _, (frame,) = new(5, 3)
        yield frame


def plot_of(axes) -> dict:
    return rendered(axes.figure).plot


def traces_of(axes) -> list[dict]:
    return plot_of(axes)["data"]


def entries_of(plot: dict) -> list[dict]:
    return plot["layout"]["meta"]["legends"][0]["entries"]


def frame_width(layout: dict) -> float:
    """Return how many CSS pixels wide the frame of a layout is."""
    return layout["width"] - layout["margin"]["l"] - layout["margin"]["r"]


def test_a_line_keeps_its_points_dashes_and_markers(axes):
    axes.plot([1, 2, 3], [4, 5, np.nan], "s--", color=TUNED, linewidth=1.5, markersize=5)
    (line,) = traces_of(axes)
    assert (line["x"], line["y"], line["mode"]) == ([1, 2, 3], [4, 5, None], "lines+markers")
    assert line["line"]["width"] == 2  # CSS pixels
    assert line["line"]["dash"].count("px") == 2
    assert (line["marker"]["symbol"], line["marker"]["color"]) == ("square", "@tuned")


def test_a_hollow_marker_stays_hollow(axes):
    axes.plot(1, 1, "D", color=TUNED, markerfacecolor="none")
    (point,) = traces_of(axes)
    assert (point["marker"]["symbol"], point["mode"]) == ("diamond-open", "markers")


def test_alike_marks_are_one_trace_with_gaps_between_lines(axes):
    for row in range(3):
        axes.plot([0, 1], [row, row], color=INK)
        axes.plot(0.5, row, "o", color=INK)
    line, points = traces_of(axes)
    assert line["y"] == [0, 0, None, 1, 1, None, 2, 2]
    assert points["y"] == [0, 1, 2]


def test_marks_keep_what_is_said_of_each(axes):
    for row in range(2):
        (mark,) = axes.plot([0, 1], [row, row], "o", color=INK)
        hover(mark, [f"left {row}", f"right {row}"])
    axes.plot([2], [2], "o", color=INK)
    said, silent = traces_of(axes)
    assert said["hovertext"] == ["left 0", "right 0", "left 1", "right 1"]
    assert silent["hoverinfo"] == "skip"


def test_one_text_may_be_for_all_of_an_artist(axes):
    (line,) = axes.plot([0, 1, 2], [0, 1, 2])
    hover(line, "all of it")
    assert traces_of(axes)[0]["hovertext"] == ["all of it"] * 3


def test_texts_that_do_not_match_the_marks_are_an_error(axes):
    (line,) = axes.plot([0, 1, 2], [0, 1, 2])
    hover(line, ["one", "two"])
    with pytest.raises(ValueError, match="2 texts for 3 marks"):
        plot_of(axes)


def test_texts_are_never_markup(axes):
    (line,) = axes.plot([0], [0], "o", label="<b>&amp;</b>")
    hover(line, "<a href='x'>\nsecond line")
    axes.annotate("<i>", (0, 0))
    axes.set_yticks([0], ["<u>"])
    axes.legend()
    plot = plot_of(axes)
    assert [of["name"] for of in entries_of(plot)] == ["&lt;b&gt;&amp;amp;&lt;/b&gt;"]
    assert plot["data"][0]["hovertext"] == ["&lt;a href='x'&gt;<br>second line"]
    assert plot["layout"]["annotations"][0]["text"] == "&lt;i&gt;"
    assert plot["layout"]["yaxis"]["ticktext"] == ["&lt;u&gt;"]


def test_points_keep_colours_and_shape_of_their_own(axes):
    axes.scatter([1, 2], [3, 4], s=9, c=[HUES[0], HUES[1]], marker="^", linewidths=0, alpha=0.5)
    (points,) = traces_of(axes)
    marker = points["marker"]
    assert (marker["symbol"], marker["size"], marker["opacity"]) == ("triangle-up", 4, 0.5)
    assert marker["color"] == ["@hue0", "@hue1"]


def test_upright_areas_are_bars_that_answer_as_a_whole(axes):
    for row, share in enumerate((0.25, 1.0)):
        cell = axes.fill_between(
            [0.5, 1.5], row - 0.5, row + 0.5, color=TUNED, alpha=share, linewidth=0
        )
        hover(cell, f"{share:.0%}")
    (cells,) = traces_of(axes)
    assert (cells["type"], cells["x"], cells["base"]) == ("bar", [1, 1], [-0.5, 0.5])
    assert (cells["width"], cells["y"]) == ([1, 1], [1, 1])
    assert cells["marker"]["opacity"] == [0.25, 1]
    assert cells["hovertext"] == ["25%", "100%"]


def test_bars_keep_their_extent_and_texts(axes):
    bars = axes.barh([0, 1], [3, 5], height=0.5, color=TUNED)
    hover(bars, ["three", "five"])
    (trace,) = traces_of(axes)
    assert trace["x"] == [1.5, 2.5]
    assert trace["width"] == [3, 5]
    assert trace["hovertext"] == ["three", "five"]


def test_a_band_is_filled_and_an_outline_too(axes):
    axes.fill_between([0, 1, 2], [0, 1, 0], [1, 3, 1], color=TUNED, alpha=0.2)
    axes.add_patch(Polygon([(0, 0), (1, 1), (2, 0)], color=INK))
    assert [of["fill"] for of in traces_of(axes)] == ["toself", "toself"]


def test_error_bars_belong_to_the_entry_of_their_line(axes):
    axes.errorbar([1, 2], [1, 2], yerr=[0.1, 0.2], label="ours", marker="o")
    axes.legend()
    plot = plot_of(axes)
    assert {of["legendgroup"] for of in plot["data"]} == {"0 ours"}
    (entry,) = entries_of(plot)
    assert (entry["name"], entry["group"], entry["mode"]) == ("ours", "0 ours", "lines+markers")


def test_an_entry_of_its_own_stands_for_the_marks_that_look_like_it(axes):
    axes.plot(1, 1, "o", color=TUNED)
    axes.plot(1, 2, "o", color=TUNED, markerfacecolor="none")
    sample = Line2D([], [], marker="o", color=TUNED, linestyle="none", label="full")
    axes.figure.legend(handles=[sample], loc="outside upper left")
    plot = plot_of(axes)
    full, hollow = plot["data"]
    assert full["legendgroup"] == "0 full"
    assert "legendgroup" not in hollow
    assert plot["layout"]["meta"]["legends"][0]["side"] == "top"


def test_a_line_through_the_frame_answers_along_its_length(axes):
    axes.set(xlim=(0, 10), ylim=(0, 1))
    hover(axes.axhline(0.5, color=SOFT), "half")
    (line,) = traces_of(axes)
    assert (line["x"][0], line["x"][-1], set(line["y"])) == (0, 10, {0.5})
    assert line["hovertext"] == ["half"] * len(line["x"])


def test_ticks_stand_where_matplotlib_has_them(axes):
    axes.plot([1, 1000], [0, 1])
    axes.set_xscale("log")
    axes.set_xlim(1, 1000)
    axes.set_yticks([0, 1], ["none", "all"])
    axes.set_ylim(1.5, -0.5)
    layout = plot_of(axes)["layout"]
    assert (layout["xaxis"]["type"], layout["xaxis"]["range"]) == ("log", [0, 3])
    assert layout["yaxis"]["range"] == [1.5, -0.5]
    assert (layout["yaxis"]["tickvals"], layout["yaxis"]["ticktext"]) == ([0, 1], ["none", "all"])
    assert layout["meta"]["numeric"] == []


def test_texts_beside_the_frame_keep_their_distance_whatever_its_width(axes):
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.annotate("beside", (1.1, 0.5), xycoords=("axes fraction", "data"))
    axes.annotate("off", (0.5, 0.5), xytext=(6, 0), textcoords="offset points")
    layout = plot_of(axes)["layout"]
    notes = {note["text"]: note for note in layout["annotations"]}
    assert (notes["beside"]["xref"], notes["beside"]["x"]) == ("x domain", 1)
    assert notes["beside"]["xshift"] == pytest.approx(0.1 * frame_width(layout), rel=1e-3)
    assert (notes["off"]["x"], notes["off"]["xshift"]) == (0.5, 8)


def test_a_line_leads_from_a_text_to_its_mark(axes):
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.annotate(
        "text", (1.0, 0.2), (1.1, 0.4), xycoords=("axes fraction", "data"),
        textcoords=("axes fraction", "data"), arrowprops={"arrowstyle": "-", "color": INK},
    )  # fmt: skip
    layout = plot_of(axes)["layout"]
    (line,) = layout["shapes"]
    assert (line["y0"], line["y1"], line["xanchor"], line["x0"]) == (0.2, 0.4, 1, 0)
    assert line["x1"] == pytest.approx(0.1 * frame_width(layout), rel=1e-3)


def test_panels_share_the_width_as_they_do_on_paper():
    with style():
        figure, (left, right) = beside(6, 3, 2)
        left.plot([0, 1], [0, 1])
        right.plot([0, 1], [0, 1])
        layout = rendered(figure).plot["layout"]
    assert (layout["width"], layout["height"]) == (576, 288)
    assert layout["xaxis"]["domain"][0] == 0
    assert layout["xaxis"]["domain"][1] < layout["xaxis2"]["domain"][0]
    assert layout["xaxis2"]["domain"][1] == 1


def test_panels_above_each_other_zoom_together():
    with style():
        figure, (top, below) = new(6, 3, ratios=(2, 1))
        top.plot([0, 1], [0, 1])
        below.plot([0, 1], [0, 1])
        layout = rendered(figure).plot["layout"]
    assert layout["xaxis2"]["matches"] == "x"
    assert layout["xaxis"]["showticklabels"] is False


def test_what_has_no_counterpart_is_an_error(axes):
    axes.imshow(np.zeros((2, 2)))
    with pytest.raises(TypeError, match="no interactive counterpart of AxesImage"):
        plot_of(axes)


def test_numbers_are_no_longer_than_a_drawing_needs(axes):
    axes.plot([1 / 3, 20000.0], [np.pi, 1e-9], "o")
    (points,) = traces_of(axes)
    assert json.dumps(points["x"]) == "[0.33333, 20000]"
    assert json.dumps(points["y"]) == "[3.1416, 1e-09]"
