"""What was run: versions, machines, commands, data."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hyenadna.report import formats
from hyenadna.report.answer import Fact
from hyenadna.report.cells import Cell, Column, Table, duration, memory, number, texts
from hyenadna.report.results import MB, Results, Run


@dataclass(frozen=True)
class Command:
    """How one run was started."""

    title: str
    line: str
    source: str


def facts(results: Results) -> list[Fact]:
    """Sum up software, machines and time."""
    infos = [run.info for run in results.runs]
    packages: dict[str, list[str]] = {}
    for info in infos:
        for name, version in info.packages.items():
            packages.setdefault(name, []).append(version)
    threads = (formats.plural(info.threads, "thread") for info in infos if info.threads)
    seeds = _distinct(str(run.seed) for run in results.runs if run.stage != "paper")
    found = [
        Fact("hyenadna", _distinct(info.version for info in infos), ""),
        *(Fact(name, _distinct(versions), "") for name, versions in packages.items()),
        Fact("Device", _distinct(info.device for info in infos), _distinct(threads)),
        Fact("Seeds", seeds, ""),
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
                Cell(formats.TITLES[run.stage]),
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


def commands(of: list[Run]) -> list[Command]:
    """List the command line of every run."""
    return [
        Command(
            title=" · ".join(
                part
                for part in (formats.TITLES[run.stage], run.model, run.subject, run.repeat)
                if part
            ),
            line=run.info.command_line,
            source=run.info_file,
        )
        for run in of
        if run.info.command
    ]
