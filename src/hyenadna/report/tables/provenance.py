"""What was run: versions, machines, commands, data."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hyenadna.report import anchors, formats
from hyenadna.report.inputs.results import MB, BenchRun, Results, Run, RunInfo
from hyenadna.report.repeats import Repeats, together
from hyenadna.report.rules import MADE, rule_of
from hyenadna.report.tables.cells import Cell, Column, Fact, Table, duration, memory, number, texts


@dataclass(frozen=True)
class Record:
    """What one run left of itself."""

    name: str
    source: str


@dataclass(frozen=True)
class Command:
    """How one run was started, or several that differ in their seed alone."""

    title: str
    line: str
    rule: str
    """That of the workflow which runs such commands, empty where there is none."""
    folder: str
    """What the paths of all records begin with."""
    records: tuple[Record, ...]
    anchor: str
    """Identifier within the page, which files that the runs wrote link to."""


def facts(results: Results) -> list[Fact]:
    """Sum up software, machines and time."""
    infos = [run.info for run in results.runs]
    packages: dict[str, list[str]] = {}
    for info in infos:
        for name, version in info.packages.items():
            packages.setdefault(name, []).append(version)
    threads = (formats.plural(info.threads, "thread") for info in infos if info.threads)
    seeds = _distinct(str(run.seed) for run in results.runs if run.stage != "paper")
    peak = _peak(infos)
    seconds = math.fsum(filter(math.isfinite, (of.seconds for of in infos)))
    found = [
        Fact("hyenadna", _distinct(info.version for info in infos), ""),
        Fact("Commit", _distinct(info.commit for info in infos), ""),
        *(Fact(name, _distinct(versions), "") for name, versions in packages.items()),
        Fact("Device", _distinct(info.device for info in infos), _distinct(threads)),
        Fact("Seeds", seeds, ""),
        Fact("Runs", formats.count(len(infos)) if infos else "", formats.duration(seconds)),
        Fact("Peak memory", formats.memory(peak) if peak > 0 else "", "of any run"),
        Fact(
            "First run started",
            formats.moment(min(filter(None, (of.started for of in infos)), default="")),
            "",
        ),
        Fact(
            "Last run finished", formats.moment(max((of.finished for of in infos), default="")), ""
        ),
    ]
    return [fact for fact in found if fact.value]


def _distinct(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))


def runs(of: list[Run]) -> Table:
    """List every run with its cost, those that differ in their seed alone in one row."""
    alike: dict[tuple[str, str, str, str], list[Run]] = {}
    for run in of:
        alike.setdefault((run.stage, run.model, run.subject, run.setting), []).append(run)
    return Table(
        name="runs",
        title="Runs",
        columns=[
            *texts("Stage", "Model", "Data", "Seeds or points"),
            *map(Column, ("Runs", "Parameters", "Time, all", "Peak memory")),
            *texts("Device", "Last finished"),
        ],
        rows=[_runs_row(runs) for runs in alike.values()],
        sources=tuple(run.info_file for run in of),
    )


def _runs_row(runs: list[Run]) -> list[Cell]:
    first, infos = runs[0], [run.info for run in runs]
    sizes = {str(info.parameters): info.parameters for info in infos}
    seconds = [info.seconds for info in infos if math.isfinite(info.seconds)]
    return [
        Cell(formats.TITLES[first.stage], sources=tuple(run.info_file for run in runs)),
        Cell(first.model or formats.NOTHING),
        Cell(first.subject),
        Cell(_ranges([run.seed for run in runs]), note=first.setting),
        Cell(formats.count(len(runs)), value=len(runs)),
        _parameters(first.info.parameters) if len(sizes) == 1 else Cell("several"),
        duration(math.fsum(seconds) if seconds else math.nan),
        memory(_peak(infos)),
        Cell(_distinct(info.device for info in infos) or formats.NOTHING),
        Cell(formats.moment(max(info.finished for info in infos)) or formats.NOTHING),
    ]


def _peak(infos: Iterable[RunInfo]) -> float:
    """Return the most bytes that any run held, NaN where none says."""
    return max(
        (of.peak_memory_mb * MB for of in infos if math.isfinite(of.peak_memory_mb)),
        default=math.nan,
    )


def _ranges(numbers: list[int]) -> str:
    """Return numbers in words: `0–4, 7`."""
    spans: list[list[int]] = []
    for number_ in sorted(set(numbers)):
        if spans and number_ == spans[-1][-1] + 1:
            spans[-1].append(number_)
        else:
            spans.append([number_])
    return ", ".join("–".join(map(str, dict.fromkeys((span[0], span[-1])))) for span in spans)


def _parameters(of: int | dict[str, Any] | None) -> Cell:
    """Return the size of a network, or the choices of a simpler method."""
    if isinstance(of, dict):
        return Cell(", ".join(f"{name} {value}" for name, value in of.items()))
    return number(math.nan if of is None else of, formats.count)


def rules(results: Results) -> Table | None:
    """Show the workflow as it ran: what each rule read of others, and what it cost."""
    by_rule: dict[str, list[Run]] = {}
    for run in results.runs:
        by_rule.setdefault(rule_of(run.info_file), []).append(run)
    if not by_rule:
        return None
    return Table(
        name="rules",
        title="The workflow as it ran",
        caption="From the record that each run left. Rules whose outputs were read stand by name; "
        "other files are what the run was given.",
        columns=[
            *texts("Rule", "Stages"),
            Column("Runs"),
            *texts("Reads the output of"),
            *map(Column, ("Other files", "Time", "Peak memory")),
        ],
        rows=[_rule_row(rule, runs) for rule, runs in by_rule.items()],
        sources=tuple(run.info_file for run in results.runs),
    )


def _rule_row(rule: str, runs: list[Run]) -> list[Cell]:
    stages = dict.fromkeys(formats.TITLES[run.stage] for run in runs)
    read = {file.path: rule_of(_within(file.path)) for run in runs for file in run.info.data}
    seconds = math.fsum(run.info.seconds for run in runs if math.isfinite(run.info.seconds))
    others = sum(not maker for maker in read.values())
    return [
        Cell(rule),
        Cell(", ".join(stages)),
        Cell(formats.count(len(runs)), value=len(runs)),
        Cell(", ".join(sorted({*read.values()} - {""})) or formats.NOTHING),
        Cell(formats.count(others), value=others),
        duration(seconds),
        memory(_peak(run.info for run in runs)),
    ]


def _within(path: str) -> str:
    """Return what a path, wherever it was seen from, is in a results tree; empty if nothing."""
    found = MADE.search(path)
    return found[1] if found else ""


def data_files(of: list[Run]) -> Table | None:
    """List every file that runs have read, with its checksum."""
    users: dict[tuple[str, str], list[Run]] = {}
    for run in of:
        for file in run.info.data:
            users.setdefault((file.path, file.sha256), []).append(run)
    if not users:
        return None
    return Table(
        name="data",
        title="Data that the runs have read",
        columns=[*texts("File"), Column("SHA-256", kind="code"), Column("Runs")],
        rows=[
            [Cell(path), Cell(checksum), Cell(str(len(runs)), value=len(runs))]
            for (path, checksum), runs in sorted(users.items())
        ],
        sources=tuple(run.info_file for run in of if run.info.data),
    )


def commands(of: list[Run], *, prefix: str = "") -> list[Command]:
    """List the command lines of runs; `prefix` is what paths to their tree begin with."""
    recorded = together(run for run in of if run.info.command)
    return [_command(_title(repeats), repeats, prefix) for repeats in recorded]


def bench_commands(of: list[BenchRun], *, prefix: str = "") -> list[Command]:
    """List the command line of every run of the benches."""
    recorded = together(run for run in of if run.info.command)
    return [_command(PurePosixPath(of.folder).name, of, prefix) for of in recorded]


def _command(title: str, of: Repeats, prefix: str) -> Command:
    first = of.runs[0]
    folder = f"{of.folder}/" if len(of.runs) > 1 else ""
    return Command(
        title=title,
        line=of.line,
        rule=rule_of(first.info_file),
        folder=prefix + folder if folder else "",
        records=tuple(
            Record(run.info_file.removeprefix(folder), prefix + run.info_file) for run in of.runs
        ),
        anchor=anchors.of_run(first, prefix),
    )


def _title(of: Repeats) -> str:
    """Say what was run, on what, and how often."""
    runs = [run for run in of.runs if isinstance(run, Run)]
    first = runs[0]
    repeat = first.repeat if len(runs) == 1 else f"seeds {_ranges([run.seed for run in runs])}"
    parts = formats.TITLES[first.stage], first.model, first.subject, repeat
    return " · ".join(filter(None, parts))
