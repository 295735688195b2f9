"""The page: sections from what results there are."""

from collections.abc import Iterator
from pathlib import Path

from hyenadna.report import (
    bench,
    bench_tables,
    completeness,
    contexts,
    figures,
    formats,
    protocols,
    provenance,
    sections,
    tables,
)
from hyenadna.report.answer import Fact, answer
from hyenadna.report.drawing import Figure
from hyenadna.report.layout import Content, lay_out
from hyenadna.report.machine import as_json
from hyenadna.report.results import BenchInfo, Results, Run
from hyenadna.report.scores import Score, summarise
from hyenadna.report.sections import Section

OPENING_ROWS = 12
"""Benchmarks that the figure beside the answer may have."""


def drawn(results: Results) -> dict[str, list[Figure]]:
    """Draw every figure, by section."""
    return figures.draw(results, summarise(results))


def render(results: Results, figures_of: dict[str, list[Figure]], *, out: Path) -> str:
    """Return the page as HTML that needs no other file.

    Args:
        results: what there is.
        figures_of: the figures of each section.
        out: where the page will be, for links to the files that its numbers come from.
    """
    scores = summarise(results)
    missing = completeness.missing(results, scores)
    problems = results.problems + completeness.inconsistencies(results, scores)
    opening, figures_of = _opening(figures_of, scores)
    content = Content(
        answer=answer(results, scores),
        glance=tables.glance(scores) if scores else None,
        instead=protocols.tables(results, scores),
        figures=opening,
        sections=list(_chapters(results, scores, figures_of)),
        problems=problems,
        missing=missing,
        data=as_json(results, scores, problems, missing),
    )
    return lay_out(content, {"": results}, out=out)


def _opening(
    figures_of: dict[str, list[Figure]], scores: list[Score]
) -> tuple[list[Figure], dict[str, list[Figure]]]:
    """Take the figure of all benchmarks to the top of the page, unless it would fill it."""
    if len(scores) <= OPENING_ROWS:
        return figures_of["answer"], figures_of
    benchmarks = figures_of["answer"] + figures_of["benchmarks"]
    return [], {**figures_of, "benchmarks": benchmarks}


def _chapters(
    results: Results, scores: list[Score], figures_of: dict[str, list[Figure]]
) -> Iterator[Section]:
    if results.of("pretrain", "context"):
        yield _pretraining(results, figures_of["pretraining"])
    yield from sections.of_tasks(results, scores, figures_of)
    yield _costs_by_length(results, figures_of["length"])
    if results.runs or results.genomes:
        yield _what_was_run(results)
    if results.jobs:
        yield Section(
            name="costs",
            title="Time and memory",
            introduction="Measured by the workflow for every job.",
            figures=figures_of["timings"],
            tables=[tables.costs(results.jobs)],
        )


def _pretraining(results: Results, curves: list[Figure]) -> Section:
    by_genome: dict[str, list[Run]] = {}
    for run in results.of("pretrain"):
        by_genome.setdefault(run.subject, []).append(run)
    by_context = contexts.by_genome(results.of("context"))
    return Section(
        name="pretraining",
        title="Pretraining",
        introduction="How well the model learned to predict the next base, beside Markov chains "
        "that only count short words.",
        figures=curves,
        tables=[
            *(tables.perplexities(of_genome) for of_genome in by_genome.values()),
            *(contexts.table(genome, series) for genome, series in by_context.items()),
        ],
        remark=contexts.PUBLISHED if by_context else "",
    )


def _costs_by_length(results: Results, drawings: list[Figure]) -> Section:
    found = bench.comparisons(results.bench)
    compared = [table for table in map(bench_tables.attention, found) if table]
    introduction = (
        "How the time of one operation grows with the sequence, beside other implementations of it "
        "that this machine has. "
        if found
        else ""
    )
    missing = formats.listed([bench.TITLES[of] for of in bench.unmeasured(results)])
    return Section(
        name="length",
        title="Cost against length",
        introduction=introduction + (f"Not run: {missing}." if missing else ""),
        facts=_machines(results),
        figures=drawings,
        tables=[*compared, *map(bench_tables.costs, found)],
        remark=bench.PUBLISHED if found else "",
        commands=provenance.bench_commands(bench.ordered(results.bench)),
    )


def _machines(results: Results) -> list[Fact]:
    """Say what each bench run was measured on."""
    return [
        Fact(
            bench.TITLES.get(run.operation, run.operation).capitalize() + ", measured on",
            run.info.device or formats.NOTHING,
            " · ".join(filter(None, (_copying(run.info), formats.moment(run.info.date)))),
        )
        for run in bench.ordered(results.bench)
        if run.measurements
    ]


def _copying(info: BenchInfo) -> str:
    speed = info.copy_bytes_per_second
    return f"copies {formats.memory(speed)} per second" if speed > 0 else ""


def _what_was_run(results: Results) -> Section:
    shown = [provenance.rules(results), provenance.data_files(results.runs)]
    if results.genomes:
        shown.append(tables.genomes(results.genomes))
    return Section(
        name="provenance",
        title="What was run",
        introduction="Software, machines, data and commands, as each run recorded them.",
        facts=provenance.facts(results),
        tables=[table for table in shown if table is not None],
        details=[provenance.runs(results.runs)] if results.runs else [],
        commands=provenance.commands(results.runs),
    )
