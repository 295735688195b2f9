"""What two results trees were made with: software, machines, data, settings and time."""

import filecmp
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hyenadna.report import formats
from hyenadna.report.bench import comparisons
from hyenadna.report.costs import by_rule
from hyenadna.report.inputs.results import Measurement, Problem, Results, Run
from hyenadna.report.inputs.tree import Tree
from hyenadna.report.tables import provenance
from hyenadna.report.tables.bench_tables import time
from hyenadna.report.tables.cells import Cell, Column, Table, duration, memory, number, texts


def software(a: Results, b: Results) -> Table:
    """Show versions, machines and seeds of both."""
    facts = [{fact.label: fact.value for fact in provenance.facts(of)} for of in (a, b)]
    labels = dict.fromkeys(label for of in facts for label in of)
    return Table(
        name="setups",
        title="Software, machines and seeds",
        columns=texts("What", "A", "B", "Same"),
        rows=[
            [
                Cell(label),
                *(Cell(of.get(label, formats.NOTHING)) for of in facts),
                Cell("yes" if facts[0].get(label) == facts[1].get(label) else "no"),
            ]
            for label in labels
        ],
        sources=_records(a, b),
    )


def data_files(a: Results, b: Results) -> Table | None:
    """Show the files that runs of both have read with different contents."""
    checksums = [of.checksums for of in (a, b)]
    common = [path for path in checksums[0] if path in checksums[1]]
    differing = [path for path in common if checksums[0][path] != checksums[1][path]]
    if not differing:
        return None
    return Table(
        name="differing-data",
        title="Files that were read with different contents",
        caption="Scores on different data, or from different weights, differ for that reason too.",
        columns=[*texts("File"), Column("SHA-256, A", kind="code"), Column("SHA-256, B", "code")],
        rows=[
            [Cell(path), *(Cell(", ".join(sorted(of[path]))) for of in checksums)]
            for path in sorted(differing)
        ],
        sources=_records(a, b),
    )


def _records(a: Results, b: Results) -> tuple[str, ...]:
    return tuple(
        prefix + run.info_file
        for prefix, of in (("A/", a), ("B/", b))
        for run in of.runs
        if (of.root / run.info_file).exists()
    )


def settings(a: Results, b: Results, problems: list[Problem]) -> Table | None:
    """Show the settings that differ between runs that both have, alike ones together.

    Args:
        a: one tree.
        b: the other.
        problems: where files that cannot be read are noted.
    """
    found: dict[tuple[str, str, str, str], list[str]] = {}
    paths = {run.path for run in b.runs}
    for run in (run for run in a.runs if run.path in paths and not _same(a, b, run)):
        of_a, of_b = (
            _read(of, f"{side}/", run.path, problems) for side, of in zip("AB", (a, b), strict=True)
        )
        for key in dict.fromkeys((*of_a, *of_b)) if of_a and of_b else ():
            pair = of_a.get(key, formats.NOTHING), of_b.get(key, formats.NOTHING)
            if pair[0] != pair[1]:
                found.setdefault((run.stage, key, *pair), []).append(run.path)
    if not found:
        return None
    return Table(
        name="differing-settings",
        title="Settings that differ",
        caption="Of the runs that both have, from the settings that each left behind.",
        columns=[*texts("Stage", "Setting", "A", "B"), Column("Runs")],
        rows=[
            [
                Cell(formats.TITLES[stage], sources=_configs(paths)),
                *map(Cell, (key, *pair)),
                Cell(str(len(paths)), value=len(paths)),
            ]
            for (stage, key, *pair), paths in found.items()
        ],
        sources=tuple(dict.fromkeys(path for paths in found.values() for path in _configs(paths))),
    )


def _same(a: Results, b: Results, run: Run) -> bool:
    """Return whether the settings of a run are the same bytes: most are, and reading takes long."""
    one, other = (of.root / run.path / "config.yaml" for of in (a, b))
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)


def _configs(paths: list[str]) -> tuple[str, ...]:
    return tuple(f"{side}/{path}/config.yaml" for path in paths for side in "AB")


def _read(of: Results, prefix: str, run: str, problems: list[Problem]) -> dict[str, str]:
    """Return the settings of a run by dotted keys, none where there is no such file."""
    path = of.root / run / "config.yaml"
    if not path.exists():
        return {}
    noted: list[Problem] = []
    found = dict(_flat(Tree(of.root, noted).yaml(path), ""))
    problems += [replace(problem, path=prefix + problem.path) for problem in noted]
    return found


def _flat(content: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _flat(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, str(content)


def costs(a: Results, b: Results) -> Table | None:
    """Show time and memory of each rule in both."""
    of_a, of_b = ({cost.rule: cost for cost in by_rule(of.jobs)} for of in (a, b))
    rules = dict.fromkeys((*of_a, *of_b))
    if not rules:
        return None
    rows = []
    for rule in rules:
        both = of_a.get(rule), of_b.get(rule)
        per_job = [of.total / of.jobs if of else math.nan for of in both]
        sources = [f"{side}/{path}" for side, of in zip("AB", both, strict=True) if of
                   for path in of.sources]  # fmt: skip
        rows.append([
            Cell(rule, sources=tuple(sources)),
            *(number(of.jobs if of else math.nan, formats.count) for of in both),
            *map(duration, per_job),
            number(per_job[1] / per_job[0] if per_job[0] else math.nan, formats.times),
            *(memory(of.peak if of else math.nan) for of in both),
        ])  # fmt: skip
    return Table(
        name="cost-differences",
        title="Time and memory by rule",
        columns=[
            *texts("Rule"),
            *map(Column, ("Jobs, A", "Jobs, B", "Time a job, A", "Time a job, B", "B over A")),
            *map(Column, ("Peak memory, A", "Peak memory, B")),
        ],
        rows=rows,
        sources=tuple(dict.fromkeys(of for row in rows for of in row[0].sources)),
    )


def timings(a: Results, b: Results) -> Table | None:
    """Show the measured times of operations that both have of one shape, machines named."""
    of_a, of_b = (_timed(of) for of in (a, b))
    keys = [key for key in of_a if key in of_b]
    if not keys:
        return None
    machines = [", ".join({of.setting.machine: None for of in comparisons(tree.bench)})
                for tree in (a, b)]  # fmt: skip
    return Table(
        name="timing-differences",
        title="Times of operations",
        caption=f"Medians, quartiles below them. A on {machines[0]}; B on {machines[1]}. What the "
        "quartiles of both sides share may be chance.",
        columns=[
            *texts("Implementation", "Direction", "Shape"),
            *map(Column, ("Length", "A", "B", "B over A")),
        ],
        rows=[_timing_row(key, of_a[key], of_b[key]) for key in keys],
        sources=tuple(
            prefix + run.measurements_file
            for prefix, of in (("A/", a), ("B/", b))
            for run in of.bench
        ),
    )


Timed = tuple[str, str, str, str, int]
"""Operation, implementation, direction, shape and length."""


def _timed(of: Results) -> dict[Timed, Measurement]:
    return {
        (*series.key, comparison.setting.shape, length): point
        for comparison in comparisons(of.bench)
        for series in comparison.series
        for length, point in series.points.items()
    }


def _timing_row(key: Timed, a: Measurement, b: Measurement) -> list[Cell]:
    operation, implementation, direction, shape, length = key
    return [
        Cell(f"{operation}: {implementation}"),
        *map(Cell, (direction, shape)),
        Cell(formats.count(length), value=length),
        time(a),
        time(b),
        number(b.median / a.median, formats.times),
    ]
