"""The page that puts two results trees side by side."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from hyenadna.report import formats
from hyenadna.report.comparison import setups
from hyenadna.report.comparison.comparison_figures import forest
from hyenadna.report.comparison.differences import Difference, differences
from hyenadna.report.inputs.results import STAGES, Problem, Results
from hyenadna.report.intervals import LEVEL
from hyenadna.report.page.answer import Answer
from hyenadna.report.page.completeness import inconsistencies
from hyenadna.report.page.layout import Content
from hyenadna.report.page.sections import Section
from hyenadna.report.scores import summarise
from hyenadna.report.tables import provenance
from hyenadna.report.tables.cells import (
    Cell,
    Column,
    Fact,
    Table,
    difference,
    number,
    spread,
    texts,
)

HOW = (
    f"The interval is at {LEVEL:.0%}. It allows for the test items that happened to be drawn, by "
    "resamples of them, which are the same for both sides where both were scored on the same "
    "items; and for how much training varies, by Student's t over the seeds of both sides, "
    "variances taken as unequal. The small print says where it allows for one of these alone. That "
    "many rows are looked at it does not allow for."
)
STAGE_SECTIONS = {
    "baselines": ("Baselines and the paper's protocol", ("baselines", "paper")),
    "pretraining": ("Pretraining", ("pretrain", "context")),
    "in-context": ("In-context learning", ("in_context",)),
    "biotypes": ("Genes by biotype", ("biotypes",)),
}


def content(a: Results, b: Results) -> Content:
    """Return what the page says of both trees."""
    found = differences(a, b)
    problems: list[Problem] = []
    sections = [*_measured(found), *_setups(a, b, problems), *_commands(a, b)]
    for prefix, of in (("A/", a), ("B/", b)):
        noted = of.problems + inconsistencies(of, summarise(of))
        problems += [replace(problem, path=prefix + problem.path) for problem in noted]
    trained = [of for of in found if of.of.stage in STAGES]
    return Content(
        answer=_answer(found, a, b),
        glance=_table("differences", "Trained on benchmarks", trained) if trained else None,
        instead=[],
        figures=[forest(trained)]
        if any(of.is_compared and not of.is_nil for of in trained)
        else [],
        sections=sections,
        problems=problems,
        missing=[],
        data=_as_json(found, a, b),
    )


def _answer(found: list[Difference], a: Results, b: Results) -> Answer:
    return Answer(
        title=f"HyenaDNA: {_name(b)} against {_name(a)}",
        sentences=[*_sentences(found, a, b)],
        facts=[*_facts(found, a, b)],
    )


def _name(of: Results) -> str:
    """Return what a tree is called: the folder above, where all are called results."""
    path = of.root.resolve()
    return path.parent.name if path.name == "results" and path.parent.name else path.name


def _sentences(found: list[Difference], a: Results, b: Results) -> Iterator[str]:
    yield f"A is {a.root}, B is {b.root}; a difference is always B minus A."
    compared = [of for of in found if of.is_compared]
    if not compared:
        yield "The two have no number in common."
    same = [of for of in compared if of.is_nil]
    if same:
        yield f"Of {formats.plural(len(compared), 'number')} that both have, {len(same)} are equal."
    judged = [of for of in compared if of.is_judged]
    clear = [of for of in judged if of.is_beyond_chance]
    if judged:
        better = sum(of.gain > 0 for of in clear)
        yield (
            f"Of {formats.plural(len(judged), 'difference')} with an interval, B is better on "
            f"{better} and worse on {len(clear) - better} beyond chance; about "
            f"{len(judged) * (1 - LEVEL):.1f} of {len(judged)} would be by chance alone."
        )
    for name, side, other in (("A", a, b), ("B", b, a)):
        alone = {run.path for run in side.runs} - {run.path for run in other.runs}
        if alone:
            yield f"{formats.plural(len(alone), 'run')} only in {name}."


def _facts(found: list[Difference], a: Results, b: Results) -> Iterator[Fact]:
    compared = [of for of in found if of.is_compared]
    yield Fact("Compared", formats.count(len(compared)), f"of {len(found)} numbers")
    for name, of in (("A", a), ("B", b)):
        lacking = sum(name in one.absent for one in found)
        note = f"{formats.plural(lacking, 'number')} missing" if lacking else "nothing missing"
        yield Fact(f"Runs in {name}", formats.count(len(of.runs)), note)


def _measured(found: list[Difference]) -> Iterator[Section]:
    for name, (title, stages) in STAGE_SECTIONS.items():
        of = [one for one in found if one.of.stage in stages]
        if of:
            yield Section(
                name=name,
                title=title,
                introduction="Every number of both trees, and B minus A.",
                tables=[_table(f"{name}-differences", title, of)],
            )


def _table(name: str, title: str, of: list[Difference]) -> Table:
    models = {one.of.model for one in of}
    return Table(
        name=name,
        title=title,
        caption=" ".join(_caption(of)),
        columns=[
            *texts("Data", *(["Model"] if len(models) > 1 else []), "Method", "Measure"),
            Column("A", spread=True),
            Column("B", spread=True),
            Column("B − A"),
            Column(f"{LEVEL:.0%} interval"),
            *texts("Verdict"),
        ],
        rows=[_row(one, with_model=len(models) > 1) for one in of],
        sources=tuple(dict.fromkeys(path for one in of for path in _sources(one))),
    )


def _caption(of: list[Difference]) -> Iterator[str]:
    yield "Mean ± sample standard deviation over n seeds."
    if not all(one.of.higher_is_better for one in of):
        yield "Of perplexity and mse less is better."
    if any(one.estimate.is_known for one in of):
        yield HOW


def _sources(of: Difference) -> tuple[str, ...]:
    return of.a.sources + of.b.sources


def _row(of: Difference, *, with_model: bool) -> list[Cell]:
    return [
        Cell(of.of.subject, sources=_sources(of)),
        *([Cell(of.of.model or formats.NOTHING)] if with_model else []),
        Cell(of.of.method),
        Cell(of.of.measure),
        *(
            spread(side.spread) if of.of.has_seeds else number(side.spread.mean)
            for side in of.sides
        ),
        difference(of.value),
        _interval(of),
        Cell(of.verdict),
    ]


def _interval(of: Difference) -> Cell:
    low, high = of.interval
    if not of.estimate.is_known:
        return Cell(formats.NOTHING)
    covers = of.estimate.covers
    return Cell(
        f"{formats.signed(low)} to {formats.signed(high)}",
        note=f"{covers} alone" if covers in ("items", "seeds") else "",
        value=f"{low:.8g} {high:.8g}",
    )


def _setups(a: Results, b: Results, problems: list[Problem]) -> Iterator[Section]:
    shown = [
        setups.software(a, b) if a.runs or b.runs else None,
        setups.settings(a, b, problems),
        setups.data_files(a, b),
        setups.costs(a, b),
        setups.timings(a, b),
    ]
    tables = [table for table in shown if table]
    if tables:
        yield Section(
            name="setups",
            title="What they were made with",
            introduction="A difference between scores may come from any of these.",
            tables=tables,
        )


def _commands(a: Results, b: Results) -> Iterator[Section]:
    for name, of in (("A", a), ("B", b)):
        if of.runs or of.bench:
            yield Section(
                name=f"commands-{name}",
                title=f"Runs of {name}",
                introduction=f"The commands that made {of.root}.",
                commands=[
                    *provenance.commands(of.runs, prefix=f"{name}/"),
                    *provenance.bench_commands(of.bench, prefix=f"{name}/"),
                ],
            )


def _as_json(found: list[Difference], a: Results, b: Results) -> dict[str, Any]:
    """Return plain values; null is no number."""
    return {
        "a": str(a.root),
        "b": str(b.root),
        "differences": [
            asdict(of.of)
            | {
                "a": list(of.a.spread.values),
                "b": list(of.b.spread.values),
                "difference": of.value if of.is_compared else None,
                "interval": [*of.interval] if of.estimate.is_known else None,
                "covers": of.estimate.covers,
                "verdict": of.verdict,
                "sources": [*_sources(of)],
            }
            for of in found
        ],
    }
