"""Where numbers come from: the rule, the run and its command behind every file that is shown."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from hyenadna.report import anchors, formats
from hyenadna.report.figures.drawing import Figure
from hyenadna.report.inputs.results import Results
from hyenadna.report.repeats import together
from hyenadna.report.rules import rule_of
from hyenadna.report.tables.cells import Table

NAMED_ROWS = 2
"""Of rows that come from the same files, so many are named and the others counted."""

FEW = 2
"""So many files are named in the open; more are folded away."""

MANY = 100
"""Of more files, folders are named, which lead to the commands and the files of their runs."""


@dataclass(frozen=True)
class File:
    """One file that numbers come from."""

    source: str
    """Its path, as links take it."""
    name: str
    """What of the path is shown below the folder of its trace."""
    command: str
    """Anchor of the command that wrote it; empty where none is recorded."""


@dataclass(frozen=True)
class Trace:
    """Files that one rule made in one folder, for one row of a table or for a whole figure."""

    row: str
    rule: str
    """Empty where no rule of the workflow makes such a file."""
    folder: str
    files: tuple[File, ...]

    @property
    def commands(self) -> list[str]:
        """Anchors of the commands that made the files, each once."""
        return [of for of in dict.fromkeys(file.command for file in self.files) if of]


@dataclass(frozen=True)
class Place:
    """Where a page lists files for the first time."""

    anchor: str
    title: str
    """Of the figure or table there."""


@dataclass(frozen=True)
class Listing:
    """What is behind a figure or table, and where the page lists it."""

    traces: list[Trace]
    place: Place
    is_here: bool
    rules: list[str]
    """Each once."""
    files: int
    groups: Mapping[str, str]
    """By what a row is called, the rows that it shares its files with, as `Trace.row`."""

    @property
    def is_short(self) -> bool:
        """Whether the files are so few that they are named in the open."""
        return self.files <= FEW

    @property
    def names_folders(self) -> bool:
        """Whether there are so many files that their folders must do."""
        return self.files > MANY

    def anchor(self, group: str) -> str:
        """Return where in the list the files of some rows begin."""
        return f"{self.place.anchor}-{zlib.crc32(group.encode()):08x}"

    def anchor_of_row(self, name: str) -> str:
        """Return where the files of a row are listed, empty where no list is by rows."""
        group = self.groups.get(name, "")
        return self.anchor(group) if group and not self.is_short else ""


class Origins:
    """Knows what made the files of results trees, given each tree by what its paths begin with.

    Made for one page, which lists the same files once and then refers to that list.
    """

    def __init__(self, trees: Mapping[str, Results]) -> None:
        self._places: dict[frozenset[Trace], Place] = {}
        self._prefixes = tuple(trees)
        self._commands = {
            prefix + run.path: anchors.of_run(of.runs[0], prefix)
            for prefix, results in trees.items()
            for of in together(run for run in results.recorded if run.info.command)
            for run in of.runs
        }

    def rule(self, source: str) -> str:
        """Return the rule that wrote a file."""
        prefix = next(of for of in self._prefixes if source.startswith(of))
        return rule_of(source.removeprefix(prefix))

    def command(self, source: str) -> str:
        """Return the anchor of the command that wrote a file, empty where none is recorded."""
        return self._commands.get(str(PurePosixPath(source).parent), "")

    def of(self, shown: Figure | Table) -> list[Trace]:
        """Return what is behind a figure, or behind a table row by row."""
        rows = {_together(names): files for names, files in _rows_by_sources(shown)}
        named = {source for of_row in rows.values() for source in of_row}
        others = tuple(source for source in dict.fromkeys(shown.sources) if source not in named)
        if others:
            rows[""] = others
        return [trace for row, sources in rows.items() for trace in self._traces(row, sources)]

    def listing(self, shown: Figure | Table) -> Listing:
        """Return what is behind a figure or table, to be listed here unless it is already."""
        traces = self.of(shown)
        here = Place(f"from-{len(self._places)}", shown.title)
        place = self._places.setdefault(frozenset(traces), here)
        rules = [rule for rule in dict.fromkeys(map(self.rule, shown.sources)) if rule]
        groups = {name: _together(names) for names, _ in _rows_by_sources(shown) for name in names}
        return Listing(traces, place, place is here, rules, len(set(shown.sources)), groups)

    def _traces(self, row: str, sources: Iterable[str]) -> Iterable[Trace]:
        found: dict[tuple[str, str], list[File]] = {}
        for source in sources:
            folder, name = _split(source)
            file = File(source, name, self.command(source))
            found.setdefault((self.rule(source), folder), []).append(file)
        return [Trace(row, *key, tuple(files)) for key, files in found.items()]


def _rows_by_sources(shown: Figure | Table) -> list[tuple[list[str], tuple[str, ...]]]:
    """Return rows by what they are called, and their files; none where all have the same."""
    found: dict[str, dict[str, None]] = {}
    for row in shown.rows if isinstance(shown, Table) else ():
        sources = (source for cell in row for source in cell.sources)
        found.setdefault(row[0].text, {}).update(dict.fromkeys(sources))
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, of_row in found.items():
        alike.setdefault(tuple(of_row), []).append(name)
    by_sources = [(names, sources) for sources, names in alike.items() if sources]
    return by_sources if len(by_sources) > 1 else []


def _together(rows: list[str]) -> str:
    """Name rows of the same files, the first of them if they are many."""
    others = len(rows) - NAMED_ROWS
    return formats.listed([*rows[:NAMED_ROWS], *([f"{others} more"] if others > 0 else [])])


def _split(source: str) -> tuple[str, str]:
    """Cut a path so that the seeds of one run share a folder; a seed stands for its metrics."""
    path = PurePosixPath(source)
    folder = path.parent
    if folder.name.rstrip("0123456789") in {"seed", "point"}:
        name = folder.name if path.name == "metrics.tsv" else f"{folder.name}/{path.name}"
        return f"{folder.parent}/", name
    return f"{folder}/", path.name
