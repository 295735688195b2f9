"""Where numbers come from: the rule, the run and its command behind every file that is shown."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from hyenadna.report import formats
from hyenadna.report.figures.drawing import Figure
from hyenadna.report.inputs.results import STAGES, BenchRun, Results, Run
from hyenadna.report.repeats import together
from hyenadna.report.tables.cells import Cell, Table

RULES = {
    "pretrain": "pretrain",
    "context": "perplexity_by_context",
    **dict.fromkeys((*STAGES, "paper"), "finetune"),
    "baselines": "baselines",
    "biotypes": "map_biotypes",
    "in_context": "in_context",
}
"""The rule of the workflow that writes the folder of a stage."""

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


class Origins:
    """Knows what made the files of results trees, given each tree by what its paths begin with.

    Made for one page, which lists the same files once and then refers to that list.
    """

    def __init__(self, trees: Mapping[str, Results]) -> None:
        self._places: dict[frozenset[Trace], Place] = {}
        self._prefixes = tuple(trees)
        self._commands = {
            prefix + run.path: anchor(of.runs[0], prefix)
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
        rows = _sources_by_row(shown.rows) if isinstance(shown, Table) else {}
        if not rows or len(set(rows.values())) == 1:
            rows = {"": tuple(dict.fromkeys(shown.sources))}
        named = {source for of_row in rows.values() for source in of_row}
        others = tuple(source for source in dict.fromkeys(shown.sources) if source not in named)
        if others:
            rows[""] = (*rows.get("", ()), *others)
        return [trace for row, sources in rows.items() for trace in self._traces(row, sources)]

    def place(self, shown: Figure | Table) -> tuple[Place, bool]:
        """Return where the files behind a figure or table are listed, and whether that is here."""
        here = Place(f"from-{len(self._places)}", shown.title)
        place = self._places.setdefault(frozenset(self.of(shown)), here)
        return place, place is here

    def rules(self, shown: Figure | Table) -> list[str]:
        """Return the rules behind a figure or table, each once."""
        return [rule for rule in dict.fromkeys(map(self.rule, shown.sources)) if rule]

    def has_many(self, shown: Figure | Table) -> bool:
        """Return whether there are so many files behind it that folders must do."""
        return len(set(shown.sources)) > MANY

    def _traces(self, row: str, sources: Iterable[str]) -> Iterable[Trace]:
        found: dict[tuple[str, str], list[File]] = {}
        for source in sources:
            folder, name = _split(source)
            file = File(source, name, self.command(source))
            found.setdefault((self.rule(source), folder), []).append(file)
        return [Trace(row, *key, tuple(files)) for key, files in found.items()]


def rule_of(path: str) -> str:
    """Return the rule that writes a file of a results tree, empty where it is none's."""
    match PurePosixPath(path).parts:
        case ("benchmarks", name, *_):  # measured by Snakemake while that rule ran
            name = name.removesuffix(".tsv")
            return RULES.get(name, name)
        case ("bench", operation, *_):
            return f"bench_{operation}"
        case ("genomes", _, "tokens", *_):
            return "tokenize"
        case ("genomes", _, "genome.fa"):
            return "prepare_genome"
        case (stage, _, *_):
            return RULES.get(stage, "")
    return ""


def anchor(run: Run | BenchRun, prefix: str = "") -> str:
    """Return the identifier of a run within the page, short since there are thousands."""
    return f"run-{hashlib.blake2b((prefix + run.path).encode(), digest_size=5).hexdigest()}"


def _sources_by_row(rows: list[list[Cell]]) -> dict[str, tuple[str, ...]]:
    """Return the files of rows by what rows are called, those of the same files together."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        sources = (source for cell in row for source in cell.sources)
        found.setdefault(row[0].text, {}).update(dict.fromkeys(sources))
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, of_row in found.items():
        alike.setdefault(tuple(of_row), []).append(name)
    return {_together(names): sources for sources, names in alike.items() if sources}


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
