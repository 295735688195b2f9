"""What the page shows as files of their own: its tables, and captions of those and of figures."""

import base64
import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, is_dataclass
from pathlib import Path

from jinja2 import Template

from hyenadna.report import formats, tsv
from hyenadna.report.anchors import identifier
from hyenadna.report.figures.drawing import Figure
from hyenadna.report.page import templates
from hyenadna.report.page.benchmark_pages import BenchmarkPage
from hyenadna.report.page.layout import Content
from hyenadna.report.page.sections import Section
from hyenadna.report.tables.cells import Cell, Column, Table

INDEX = ("file", "category", "group", "title", "caption")
"""Columns of index.tsv."""

NAMED_SOURCES = 3
"""A caption names so many of the files behind it and counts the others."""


@dataclass(frozen=True)
class Chapter:
    """A part of the page."""

    folder: str
    title: str
    benchmark: str = ""
    """The one that it is of, if it is of one."""
    introduction: str = ""
    """What is said once of all within."""


ANSWER = Chapter("answer", "Answer")


@dataclass(frozen=True)
class Entry:
    """A figure or a table that has files, and the part of the page where it stands."""

    file: str
    """Path of its files below the folder of all figures or all tables, without an ending."""
    chapter: Chapter
    shown: Figure | Table

    @property
    def group(self) -> str:
        """What it stands among: of a chapter on one benchmark all is one group."""
        kind = "Tables" if isinstance(self.shown, Table) else "Figures"
        return self.chapter.benchmark or kind

    @property
    def caption(self) -> str:
        """What is said of it: where it has no words of its own, those of its chapter."""
        described = self.shown.description if isinstance(self.shown, Figure) else ""
        return self.shown.caption or self.chapter.introduction or described

    @property
    def named(self) -> tuple[str, ...]:
        """What tells it from others, from the least to all that may be needed."""
        protocol = self.shown.choice if isinstance(self.shown, Table) else ""
        return self.chapter.title, self.group, self.shown.title, protocol


def write_tables(folder: Path, content: Content) -> None:
    """Write every table of the page as TSV and HTML, and its caption, to `<folder>/<chapter>/`."""
    entries = []
    names: Counter[str] = Counter()
    for chapter, shown in _placed(content, ANSWER):
        if not isinstance(shown, Table):
            continue
        plain = re.fullmatch(r"\w[\w.-]*", shown.name, re.ASCII)
        file = f"{chapter.folder}/{shown.name if plain else identifier(shown.name)}"
        names[file] += 1
        # A switch has several tables of one name, as each downloads under that name.
        entry = Entry(file if names[file] == 1 else f"{file}-{names[file]}", chapter, shown)
        path = folder / entry.file
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not `with_suffix`: names have dots.
        path.with_name(f"{path.name}.tsv").write_text(to_tsv(shown), encoding="utf-8")
        path.with_name(f"{path.name}.html").write_text(as_page(entry, shown), encoding="utf-8")
        entries.append(entry)
    write_index(folder, entries)


def write_captions(folder: Path, content: Content, figures: Iterable[Figure]) -> None:
    """Write the caption of every figure beside its drawings in `<folder>/<section>/`."""
    chapters = {
        shown.name: chapter
        for chapter, shown in _placed(content, ANSWER)
        if isinstance(shown, Figure)
    }
    entries = [
        Entry(f"{figure.section}/{figure.name}", chapters.get(figure.name, ANSWER), figure)
        for figure in figures
    ]
    write_index(folder, entries)


def write_index(folder: Path, entries: list[Entry]) -> None:
    """Write index.tsv, and each caption as reStructuredText for Snakemake's report."""
    rows = [list(INDEX)]
    for entry, title in zip(entries, _titles_apart(entries), strict=True):
        rows.append([entry.file, entry.chapter.title, entry.group, title, entry.caption])
        path = folder / f"{entry.file}.rst"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(as_rst(entry), encoding="utf-8")
    index = tsv.joined(map(tsv.cell, row) for row in rows)
    (folder / "index.tsv").write_text(index, encoding="utf-8")


def to_tsv(table: Table) -> str:
    """Return a table as the page's button downloads it: values in full, the spread beside them."""
    lines = [
        [title for column in table.columns for title in _titles(column)],
        *(
            [
                text
                for column, cell in zip(table.columns, row, strict=True)
                for text in _values(column, cell)
            ]
            for row in table.rows
        ),
    ]
    return tsv.joined(lines)


def as_page(entry: Entry, table: Table) -> str:
    """Return a page with one table on it, which Snakemake's report can show; TSV it cannot."""
    return _template().render(
        table=table,
        caption=entry.caption,
        tsv=base64.b64encode(to_tsv(table).encode()).decode(),
    )


@functools.cache
def _template() -> Template:
    """Return that of a page with one table, compiled once for all."""
    return templates.environment().get_template("table.html.j2")


def as_rst(entry: Entry) -> str:
    """Return title, caption and the files behind them as two paragraphs."""
    sources = entry.shown.sources
    named, others = list(sources[:NAMED_SOURCES]), len(sources[NAMED_SOURCES:])
    listed = formats.listed([*named, f"{others} more"] if others else named)
    paragraphs = [f"**{_escaped(entry.shown.title)}.** {_escaped(entry.caption)}"]
    if listed:
        paragraphs.append(_escaped(f"Made from {listed}."))
    return "".join(f"{paragraph.strip()}\n\n" for paragraph in paragraphs)


def _titles(column: Column) -> list[str]:
    parts = ["sd", "n"] * column.spread + ["low", "high"] * column.interval
    return [tsv.cell(column.title), *(tsv.cell(f"{column.title} {part}") for part in parts)]


def _values(column: Column, cell: Cell) -> list[str]:
    text = "" if cell.text == formats.NOTHING else cell.text
    spread = [_number(cell.sd), "" if cell.n is None else str(cell.n)] * column.spread
    interval = [_number(cell.low), _number(cell.high)] * column.interval
    return [tsv.cell(text if cell.value is None else str(cell.value)), *spread, *interval]


def _number(value: float) -> str:
    return str(value) if math.isfinite(value) else ""


def _placed(part: object, chapter: Chapter) -> Iterator[tuple[Chapter, Figure | Table]]:
    """Yield all figures and tables within a part of the page, in its order."""
    match part:
        case Figure() | Table():
            yield chapter, part
            return
        case Section():
            chapter = Chapter(part.name, part.title, introduction=part.introduction)
        case BenchmarkPage():
            chapter = Chapter(part.anchor, "Benchmarks one by one", part.benchmark)
    within = part if isinstance(part, list) else vars(part).values() if is_dataclass(part) else ()
    for each in within:
        yield from _placed(each, chapter)


def _titles_apart(entries: list[Entry]) -> Iterator[str]:
    """Yield a title of each that no other of its group has: with its protocol, or its file."""
    alike = Counter(entry.named[:3] for entry in entries)
    of_protocol = Counter(entry.named for entry in entries)
    for entry in entries:
        *_, title, protocol = entry.named
        if alike[entry.named[:3]] == 1:
            yield title
        elif protocol and of_protocol[entry.named] == 1:
            yield f"{title} ({protocol})"
        else:
            yield f"{title} ({entry.file.rpartition('/')[2]})"


def _escaped(text: str) -> str:
    """Return a line that reStructuredText shows as it is, within a paragraph."""
    return re.sub(r"([\\*`_|:@])", r"\\\1", tsv.cell(text))
