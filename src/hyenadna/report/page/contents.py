"""The page: sections from what results there are."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hyenadna.report import bench, families, formats
from hyenadna.report.figures import by_section
from hyenadna.report.figures.drawing import Figure
from hyenadna.report.inputs.results import BenchInfo, Results, Run
from hyenadna.report.page import benchmark_pages, completeness, sections
from hyenadna.report.page.answer import answer
from hyenadna.report.page.layout import Content, lay_out
from hyenadna.report.page.machine import as_json
from hyenadna.report.page.sections import Section
from hyenadna.report.scores import summarise
from hyenadna.report.tables import bench_tables, compared, contexts, provenance, summaries
from hyenadna.report.tables.cells import Fact, Table
from hyenadna.report.tables.protocols import Judged, judged

OPENING_ROWS = 12
"""Benchmarks that the figure and the table beside the answer may have."""


def drawn(results: Results) -> dict[str, list[Figure]]:
    """Draw every figure, by section."""
    return {
        section: [replace(figure, section=section) for figure in of]
        for section, of in by_section.draw(results, summarise(results)).items()
    }


def render(results: Results, figures_of: dict[str, list[Figure]], *, out: Path) -> str:
    """Return the page as HTML that needs no other file.

    Args:
        results: what there is.
        figures_of: the figures of each section that has any.
        out: where the page will be, for links to the files that its numbers come from.
    """
    return lay_out(content(results, figures_of), {"": results}, out=out)


def content(results: Results, figures_of: dict[str, list[Figure]]) -> Content:
    """Return all that the page says."""
    scores = summarise(results)
    problems = results.problems + completeness.inconsistencies(results, scores)
    by_protocol = judged(results, scores, families.recorded(results, problems))
    pages = benchmark_pages.pages(results, scores, figures_of)
    problems += [problem for page in pages for problem in page.problems]
    missing = completeness.missing(results, scores)
    opening, rest = _opening(figures_of, rows=len(scores))
    glance, *instead = _glances(by_protocol)
    return Content(
        answer=answer(by_protocol[0]),
        glance=glance if scores else None,
        instead=instead,
        figures=opening,
        sections=list(_chapters(results, by_protocol, rest)),
        problems=problems,
        missing=missing,
        data=as_json(by_protocol[0], problems, missing),
        pages=pages,
    )


def _glances(by_protocol: list[Judged]) -> list[Table]:
    """Return the table below the answer by each protocol: of families if there is much."""
    if len(by_protocol[0].scores) <= OPENING_ROWS:
        return [compared.glance(of) for of in by_protocol]
    return [compared.summary(of) for of in by_protocol]


def _opening(
    figures_of: dict[str, list[Figure]], *, rows: int
) -> tuple[list[Figure], dict[str, list[Figure]]]:
    """Take the figure of all benchmarks to the top of the page, unless it would fill it.

    Figures that stand on the page of a benchmark are in neither.
    """
    rest = benchmark_pages.left(figures_of)
    if rows <= OPENING_ROWS:
        return rest.get("answer", []), rest
    return [], {**rest, "benchmarks": rest.get("answer", []) + rest.get("benchmarks", [])}


def _chapters(
    results: Results, by_protocol: list[Judged], figures_of: dict[str, list[Figure]]
) -> Iterator[Section]:
    if results.of("pretrain", "context"):
        yield _pretraining(results, figures_of.get("pretraining", []))
    yield from sections.of_tasks(results, by_protocol, figures_of)
    yield _costs_by_length(results, figures_of.get("length", []))
    if results.runs or results.genomes:
        yield _what_was_run(results, figures_of.get("workflow", []))
    if results.jobs:
        yield Section(
            name="costs",
            title="Time and memory",
            introduction="Measured by the workflow for every job.",
            figures=figures_of.get("timings", []),
            tables=[summaries.costs(results.jobs)],
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
            *(summaries.perplexities(of_genome) for of_genome in by_genome.values()),
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


def _what_was_run(results: Results, drawings: list[Figure]) -> Section:
    shown = [provenance.rules(results), provenance.data_files(results.runs)]
    if results.genomes:
        shown.append(summaries.genomes(results.genomes))
    return Section(
        name="provenance",
        title="What was run",
        introduction="Software, machines, data and commands, as each run recorded them.",
        facts=provenance.facts(results),
        figures=drawings,
        tables=[table for table in shown if table is not None],
        details=[provenance.runs(results.runs)] if results.runs else [],
        commands=provenance.commands(results.runs),
    )
