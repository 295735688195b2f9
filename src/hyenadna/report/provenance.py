"""What was run: versions, machines, commands, data."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hyenadna.report import formats
from hyenadna.report.answer import Fact
from hyenadna.report.cells import Cell, Column, Table, duration, memory, number, texts
from hyenadna.report.origins import anchor, rule_of
from hyenadna.report.results import MB, BenchRun, Results, Run

MADE = re.compile(r"(?:^|/)(\w+/[^/]+/[^/]+/seed\d+/.+|genomes/[^/]+/(?:tokens/.+|genome\.fa))$")
"""A path to what a run wrote, or to a genome as the workflow prepared it."""


@dataclass(frozen=True)
class Command:
    """How one run was started."""

    title: str
    line: str
    source: str
    anchor: str
    """Identifier within the page, which files that the run wrote link to."""


def facts(results: Results) -> list[Fact]:
    """Sum up software, machines and time."""
    infos = [run.info for run in results.runs]
    packages: dict[str, list[str]] = {}
    for info in infos:
        for name, version in info.packages.items():
            packages.setdefault(name, []).append(version)
    threads = (formats.plural(info.threads, "thread") for info in infos if info.threads)
    seeds = _distinct(str(run.seed) for run in results.runs if run.stage != "paper")
    peak = max(filter(math.isfinite, (of.peak_memory_mb for of in infos)), default=math.nan)
    seconds = math.fsum(filter(math.isfinite, (of.seconds for of in infos)))
    found = [
        Fact("hyenadna", _distinct(info.version for info in infos), ""),
        Fact("Commit", _distinct(info.commit for info in infos), ""),
        *(Fact(name, _distinct(versions), "") for name, versions in packages.items()),
        Fact("Device", _distinct(info.device for info in infos), _distinct(threads)),
        Fact("Seeds", seeds, ""),
        Fact("Runs", formats.count(len(infos)) if infos else "", formats.duration(seconds)),
        Fact("Peak memory", formats.memory(peak * MB) if peak > 0 else "", "of any run"),
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
    """List every run with its cost."""
    return Table(
        name="runs",
        title="Runs",
        columns=[
            *texts("Stage", "Model", "Data"),
            Column("Seed or point"),
            Column("Parameters"),
            Column("Time"),
            Column("Peak memory"),
            *texts("Device", "Finished"),
        ],
        rows=[
            [
                Cell(formats.TITLES[run.stage], sources=(run.info_file,)),
                Cell(run.model or formats.NOTHING),
                Cell(run.subject),
                Cell(str(run.seed), note=run.setting, value=run.seed),
                _parameters(run.info.parameters),
                duration(run.info.seconds),
                memory(run.info.peak_memory_mb * MB),
                Cell(run.info.device or formats.NOTHING),
                Cell(formats.moment(run.info.finished) or formats.NOTHING),
            ]
            for run in of
        ],
        sources=tuple(run.info_file for run in of),
    )


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
    peaks = filter(math.isfinite, (run.info.peak_memory_mb for run in runs))
    seconds = math.fsum(run.info.seconds for run in runs if math.isfinite(run.info.seconds))
    others = sum(not maker for maker in read.values())
    return [
        Cell(rule),
        Cell(", ".join(stages)),
        Cell(formats.count(len(runs)), value=len(runs)),
        Cell(", ".join(sorted({*read.values()} - {""})) or formats.NOTHING),
        Cell(formats.count(others), value=others),
        duration(seconds),
        memory(max(peaks, default=math.nan) * MB),
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
    """List the command line of every run; `prefix` is what paths to its tree begin with."""
    return [
        Command(
            title=" · ".join(
                part
                for part in (formats.TITLES[run.stage], run.model, run.subject, run.repeat)
                if part
            ),
            line=run.info.command_line,
            source=prefix + run.info_file,
            anchor=anchor(run, prefix),
        )
        for run in of
        if run.info.command
    ]


def bench_commands(of: list[BenchRun], *, prefix: str = "") -> list[Command]:
    """List the command line of every run of the benches."""
    return [
        Command(
            title=run.operation,
            line=run.info.command_line,
            source=prefix + run.info_file,
            anchor=anchor(run, prefix),
        )
        for run in of
        if run.info.command
    ]
