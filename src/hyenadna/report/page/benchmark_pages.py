"""A page for each benchmark within the page: all that is known of it, of which one is open."""

import math
from dataclasses import dataclass, field, replace

from hyenadna.report import anchors, formats
from hyenadna.report.anchors import identifier
from hyenadna.report.figures.drawing import Figure
from hyenadna.report.inputs.outcome_reading import best_trained
from hyenadna.report.inputs.results import Problem, Results, Run
from hyenadna.report.scores import Score
from hyenadna.report.tables import (
    benchmark_tables,
    examples,
    leaks,
    paper_protocol,
    provenance,
    task_tables,
)
from hyenadna.report.tables.cells import Fact, Table
from hyenadna.report.tables.provenance import Command

HOMES = ("benchmarks", "behind", "learning")
"""Sections whose figures of one benchmark stand on its page and nowhere else."""

NAMES = 80
"""Characters up to which the names of all classes are shown."""


@dataclass(frozen=True)
class BenchmarkPage:
    """All that is known of one benchmark."""

    benchmark: str
    anchor: str
    """Identifier within the page."""
    summary: str
    """The outcome in a few words, beside its name in the list."""
    facts: list[Fact] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    """Of the model with the best score, or of all of them."""
    folded: list[Figure] = field(default_factory=list)
    """Of the other models."""
    tables: list[Table] = field(default_factory=list)
    details: list[Table] = field(default_factory=list)
    """Tables that are folded away."""
    remarks: list[str] = field(default_factory=list)
    """What is not there, and why."""
    commands: list[Command] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def pages(
    results: Results, scores: list[Score], figures_of: dict[str, list[Figure]]
) -> list[BenchmarkPage]:
    """Gather what there is of each benchmark that has a score."""
    by_benchmark: dict[str, list[Score]] = {}
    for score in scores:
        by_benchmark.setdefault(score.benchmark, []).append(score)
    drawn: dict[str, list[Figure]] = {}
    moved = [figure for home in HOMES for figure in figures_of.get(home, [])]
    # Small ones share rows, which a wide one between them would break.
    for figure in sorted(moved, key=lambda figure: not figure.small):
        drawn.setdefault(figure.benchmark, []).append(figure)
    trained = best_trained(results.runs)
    others = _tables_of_others(results, scores)
    return [
        _page(results, those, drawn.get(name, []), trained, others.get(name, []))
        for name, those in by_benchmark.items()
    ]


def left(figures_of: dict[str, list[Figure]]) -> dict[str, list[Figure]]:
    """Return the figures that stand on no benchmark's page, by section."""
    return {
        name: [figure for figure in figures if not (name in HOMES and figure.benchmark)]
        for name, figures in figures_of.items()
    }


def _tables_of_others(results: Results, scores: list[Score]) -> dict[str, list[Table]]:
    """Return the tables of other protocols by benchmark."""
    found: dict[str, list[Table]] = {}
    for of in paper_protocol.selected(results):
        found.setdefault(of.benchmark, []).append(
            _named(paper_protocol.table([of], scores), "selected-on-test", of.benchmark, of.model)
        )
    prompted = task_tables.prompted(results)
    for name in dict.fromkeys(one.benchmark for one in prompted):
        shown = task_tables.prompts([one for one in prompted if one.benchmark == name])
        found.setdefault(name, []).append(_named(shown, "in-context", name))
    return found


def _named(table: Table, *parts: str) -> Table:
    """Give a table of one benchmark a name of its own."""
    return replace(table, name=identifier(*parts))


def _page(
    results: Results,
    those: list[Score],
    figures: list[Figure],
    trained: dict[tuple[str, str], list[Run]],
    others: list[Table],
) -> BenchmarkPage:
    best = max(those, key=_reached)
    name, runs = best.benchmark, trained.get((best.benchmark, best.model), [])
    published = benchmark_tables.published(results, best)
    groups = [_named(table, table.name, name) for table in task_tables.groups(those)]
    wrong, remarks, problems = _errors(results, runs)
    return BenchmarkPage(
        benchmark=name,
        anchor=anchors.of_benchmark(name),
        summary=_summary(best),
        facts=_facts(results, best),
        findings=[
            *benchmark_tables.findings(results, best),
            *(of.sentence for of in leaks.compromised(those)),
        ],
        figures=[figure for figure in figures if figure.model in ("", best.model)],
        folded=[figure for figure in figures if figure.model not in ("", best.model)],
        tables=[benchmark_tables.methods(results, those), *published, *groups, *others, *wrong],
        details=[benchmark_tables.measures(those)],
        remarks=remarks,
        commands=provenance.commands(list(best.runs)),
        problems=problems,
    )


def _reached(score: Score) -> float:
    return score.means.get(benchmark_tables.main_stage(score), -math.inf)


def _summary(score: Score) -> str:
    stage = benchmark_tables.main_stage(score)
    baseline = score.best_baseline
    parts = []
    if stage:
        model = f"{score.model}, {formats.TITLES[stage].lower()}"
        parts.append(f"{score.metric} {formats.spread(score.stages[stage])} ({model})")
    if baseline:
        title = formats.TITLES[baseline]
        parts.append(f"best baseline {formats.score(score.means[baseline])} ({title})")
    return ", ".join(parts)


def _facts(results: Results, score: Score) -> list[Fact]:
    info, leaked = score.info, results.outcomes.leaks.get(score.benchmark)
    splits = {"train": "Train items", "valid": "Validation items", "test": "Test items"}
    found = [Fact("Metric", score.metric)]
    if info.classes:
        title = {"multi": "Labels", "regression": "Targets"}.get(info.kind, "Classes")
        names = ", ".join(map(formats.shortened, info.classes))
        count = formats.count(len(info.classes))
        found.append(Fact(title, count, names if len(names) <= NAMES else ""))
    for split, title in splits.items():
        cropped = info.cropped.get(split, 0)
        note = f"{cropped:,} cropped" if cropped else ""
        if split in info.counts:
            found.append(Fact(title, formats.count(info.counts[split]), note))
    if leaked:
        share = formats.share(leaked.leaked, leaked.test_items)
        found.append(Fact("Leaked test items", formats.count(leaked.leaked), share))
    return found


def _errors(results: Results, runs: list[Run]) -> tuple[list[Table], list[str], list[Problem]]:
    """Return the examples of errors of the first seed, or else why there are none."""
    if not runs:
        return [], [], []
    path = examples.predictions_of(runs[0])
    try:
        shown = examples.table(results, runs[0])
    except examples.Unreadable as error:
        problems = [] if isinstance(error, examples.Absent) else [Problem(path, str(error))]
        return [], [f"No examples of errors: {path} {error}."], problems
    return ([shown], [], []) if shown else ([], ["It is wrong about no test item."], [])
