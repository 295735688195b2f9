"""Runs that differ in their seed alone, told as one: of thousands, a page says hundreds."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from hyenadna.report.inputs.results import BenchRun, Run

SEED = "$seed"
UNSAFE = frozenset("$`'\\\n")
"""In a command that holds one of these, a shell might not read `$seed` as the seed."""


@dataclass(frozen=True)
class Repeats:
    """Runs of one command but for the seed, which read the same files with the same software."""

    runs: tuple[Run | BenchRun, ...]
    line: str
    """The command; of several runs, in a loop over their seeds."""
    whole: bool
    """Whether they are several, and all that their folders' parent holds of the runs given."""

    @property
    def folder(self) -> str:
        """What their folders have in common; of one run alone, its own."""
        first = self.runs[0].path
        return str(PurePosixPath(first).parent) if len(self.runs) > 1 else first


def together(runs: Iterable[Run | BenchRun]) -> list[Repeats]:
    """Gather runs that differ in their seed alone, in order of the first of each."""
    found: dict[tuple[object, ...], list[Run | BenchRun]] = {}
    for run in runs:
        found.setdefault(_key(run), []).append(run)
    beside = [PurePosixPath(of[0].path).parent for of in found.values()]
    return [
        Repeats(tuple(of), _line(of), whole=len(of) > 1 and beside.count(parent) == 1)
        for of, parent in zip(found.values(), beside, strict=True)
    ]


def _key(run: Run | BenchRun) -> tuple[object, ...]:
    """Return what repeats have in common; a run that has no like is its own."""
    general = _general(run)
    if isinstance(run, BenchRun) or not general:
        return (run.path,)
    info = run.info
    made_with = (info.version, info.commit, tuple(sorted(info.packages.items())))
    return PurePosixPath(run.path).parent, general, *made_with, tuple(info.data)


def _general(run: Run | BenchRun) -> str:
    """Return the command with a variable for the seed, empty where that cannot be told."""
    words = run.info.command_line.split(" ")
    folder = PurePosixPath(run.path)
    if (
        isinstance(run, BenchRun)
        or folder.name != f"seed{run.seed}"
        or UNSAFE & set(run.info.command_line)
        or not any(word.endswith(run.path) for word in words)
    ):
        return ""
    before = ("", *words)
    numbered = [
        SEED if (option, word) == ("--seed", str(run.seed)) else word
        for option, word in zip(before, words, strict=False)
    ]
    if numbered == words:
        return ""
    there = f"{folder.parent}/seed{SEED}"
    return " ".join(
        word.removesuffix(run.path) + there if word.endswith(run.path) else word
        for word in numbered
    )


def _line(runs: list[Run | BenchRun]) -> str:
    first = runs[0]
    if len(runs) == 1:
        return first.info.command_line
    seeds = " ".join(str(run.seed) for run in runs if isinstance(run, Run))
    return f"for seed in {seeds}; do {_general(first)}; done"
