"""What a table is made of, and how numbers become its cells."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from hyenadna.report import formats
from hyenadna.report.intervals import Interval
from hyenadna.report.scores import DECIMALS, Spread

EVERYTHING = "items and seeds"
"""What an interval allows for where everything is known that it needs."""


@dataclass(frozen=True)
class Cell:
    """One entry of a table."""

    text: str
    note: str = ""
    """Small print below the text."""
    value: float | str | None = None
    """What it sorts by and what a download holds; the text where None."""
    best: bool = False
    sd: float = math.nan
    """With `n`, what a download holds beside the value, in a column that has a spread."""
    n: int | None = None
    low: float = math.nan
    """With `high`, the interval that a download holds, in a column that has one."""
    high: float = math.nan
    link: str = ""
    """Identifier within the page where a reader finds more of what the text names."""
    sources: tuple[str, ...] = ()
    """Files that this cell, or the row that it names, comes from; all of the table's if none."""


@dataclass(frozen=True)
class Column:
    """Head of one column."""

    title: str
    kind: Literal["number", "text", "code"] = "number"
    spread: bool = False
    """Whether its cells have an sd and n."""
    interval: bool = False
    """Whether its cells have a low and a high end."""


@dataclass(frozen=True)
class Table:
    """A table with what a reader needs to use it; the first cell of a row names the row."""

    name: str
    """File name of a download, without its ending."""
    title: str
    columns: list[Column]
    rows: list[list[Cell]]
    sources: tuple[str, ...]
    caption: str = ""
    marks_best: Literal["", "row", "column"] = ""
    """Where the best is marked."""
    choice: str = ""
    """The protocol that it is of, among tables of which a reader sees one at a time."""
    view: str = ""
    """Which of several tables of that protocol it is."""


@dataclass(frozen=True)
class Fact:
    """One number to remember."""

    label: str
    value: str
    note: str = ""


def texts(*titles: str) -> list[Column]:
    """Return columns of words."""
    return [Column(title, kind="text") for title in titles]


def number(value: float, shown: Callable[[float], str] = formats.score) -> Cell:
    """Return a number, or a dash that sorts last where it is not finite."""
    return Cell(shown(value), value=value if math.isfinite(value) else None)


def spread(of: Spread) -> Cell:
    """Return a mean with its standard deviation, seeds counted below."""
    if not of.n and not of.missing:
        return Cell(formats.NOTHING)
    return replace(
        number(of.mean), text=formats.spread(of), note=formats.seeds(of), sd=of.sd, n=of.n
    )


def difference(value: float) -> Cell:
    """Return a difference with its sign."""
    return number(value, formats.signed)


def allowed_for(gains: Iterable[Interval]) -> str:
    """Return what all intervals allow for; if that differs, what the fullest of them would."""
    found = {of.covers for of in gains if of.covers}
    return found.pop() if len(found) == 1 else EVERYTHING


def gain(of: Interval, usual: str = EVERYTHING) -> Cell:
    """Return a difference with its interval below, and what that allows for if that is unusual."""
    cell = difference(of.value)
    if not of.is_known:
        return cell
    alone = "" if of.covers == usual else f", {of.covers} alone"
    note = f"{formats.signed(of.low)} to {formats.signed(of.high)}{alone}"
    return replace(cell, note=note, low=of.low, high=of.high)


def duration(seconds: float) -> Cell:
    """Return a time."""
    return number(seconds, formats.duration)


def memory(size: float) -> Cell:
    """Return an amount of memory given in bytes."""
    return number(size, formats.memory)


def mark_best(rows: list[list[Cell]], column: int, *, highest: bool) -> None:
    """Mark the best numbers of a column, all that tie in the digits shown."""
    sign = 1 if highest else -1
    values = {
        index: sign * round(value, DECIMALS)
        for index, value in enumerate(row[column].value for row in rows)
        if isinstance(value, float)
    }
    if len(values) < 2:
        return
    for index, value in values.items():
        if value == max(values.values()):
            rows[index][column] = replace(rows[index][column], best=True)
