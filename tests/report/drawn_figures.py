"""Figures of a results tree for tests: by name, and what their marks say to who points at them."""

from pathlib import Path

from hyenadna.report.figures.by_section import draw
from hyenadna.report.figures.drawing import Figure
from hyenadna.report.inputs.reading import read
from hyenadna.report.scores import summarise


def figures_of(root: Path, published: Path | None = None) -> dict[str, Figure]:
    results = read(root, published)
    drawn = draw(results, summarise(results))
    return {figure.name: figure for those in drawn.values() for figure in those}


def said(figure: Figure) -> list[str]:
    """Return what each mark says, its lines parted by slashes."""
    found: dict[str, None] = {}
    for trace in figure.drawing.plot["data"]:
        texts = trace.get("hovertext") or [trace.get("text")]
        found |= {text.replace("<br>", " / "): None for text in texts if text}
    return list(found)


def table_of(figure: Figure) -> list[list[str]]:
    """Return the numbers behind a figure, without the names of the columns."""
    return [line.split("\t") for line in figure.data.splitlines()[1:]]
