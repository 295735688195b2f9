"""The page: sections from what results there are, laid out by `page.html.j2`."""

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from hyenadna.report import (
    bench,
    bench_tables,
    completeness,
    contexts,
    drawing,
    figures,
    formats,
    provenance,
    sections,
    tables,
)
from hyenadna.report.answer import Fact, answer
from hyenadna.report.drawing import PALETTE, Figure
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
    script = _text("page.js")
    base = Path(os.path.relpath(results.root.resolve(), out.resolve().parent))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["svg"] = lambda figure: Markup(drawing.for_page(figure))
    environment.globals["breakable"] = _breakable
    environment.globals["link"] = lambda source: quote((base / source).as_posix())
    return environment.from_string(_text("page.html.j2")).render(
        answer=answer(results, scores),
        glance=tables.glance(scores) if scores else None,
        figures=opening,
        sections=list(_chapters(results, scores, figures_of)),
        problems=problems,
        missing=missing,
        data=as_json(results, scores, problems, missing),
        themes=_themes(),
        style=Markup(_text("style.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


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
        commands=[
            provenance.Command(run.operation, " ".join(run.info.command), run.info_file)
            for run in bench.ordered(results.bench)
            if run.info.command
        ],
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
    shown = [provenance.data_files(results.runs)] if results.runs else []
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


def _breakable(text: str) -> Markup:
    """Let a long name break after its punctuation, not within a word."""
    return Markup("<wbr>").join(re.split(r"(?<=[_./])(?=[^\d\s])", text))


def _themes() -> Markup:
    """Return the style rules that give the figures' colours their value in each theme."""
    light, dark = (
        "".join(f"--{name}:{colours[theme]};" for name, colours in PALETTE.items())
        for theme in (0, 1)
    )
    return Markup(
        f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    )


def _text(name: str) -> str:
    return resources.files("hyenadna.report").joinpath(name).read_text(encoding="utf-8")
