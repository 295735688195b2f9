"""Chapters of the page, and those on tasks: benchmarks, leaks, errors, published scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from hyenadna.report import families
from hyenadna.report.families import Family
from hyenadna.report.figures.drawing import Figure
from hyenadna.report.inputs.results import Results, Run
from hyenadna.report.page.benchmark_pages import HOMES
from hyenadna.report.scores import Score
from hyenadna.report.tables import (
    family_tables,
    leaks,
    paper_protocol,
    published,
    summaries,
    task_tables,
)
from hyenadna.report.tables.cells import Fact, Table
from hyenadna.report.tables.protocols import OURS, Judged
from hyenadna.report.tables.provenance import Command


@dataclass(frozen=True)
class Section:
    """One chapter of the page."""

    name: str
    title: str
    introduction: str
    findings: list[str] = field(default_factory=list)
    """Sentences that stand before figures and tables."""
    figures: list[Figure] = field(default_factory=list)
    folded: list[Figure] = field(default_factory=list)
    """Figures that are folded away."""
    choices: list[Table] = field(default_factory=list)
    """Tables of which a reader sees one at a time, by their `choice` and `view`."""
    tables: list[Table] = field(default_factory=list)
    details: list[Table] = field(default_factory=list)
    """Tables that are folded away."""
    remark: str = ""
    """What must be known beside the tables."""
    facts: list[Fact] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


def of_tasks(
    results: Results, by_protocol: list[Judged], figures_of: Mapping[str, list[Figure]]
) -> Iterator[Section]:
    """Yield what there is to say of each kind of task.

    Args:
        results: what there is.
        by_protocol: the scores by each protocol.
        figures_of: the figures of each section, but for those on the pages of benchmarks.
    """
    scores = _honest(by_protocol)
    literature = published.tables(
        results.published, scores, paper_protocol.selected(results), results.of("biotypes")
    )
    grids = published.grids(results.published, literature.values())
    yield from _overview(figures_of)
    for family, of in _families(by_protocol).items():
        section = _family(family, of, literature, figures_of)
        yield section
        shown = {table.name for table in section.choices}
        literature = {key: table for key, table in literature.items() if table.name not in shown}
    yield from _leaks(results, scores, figures_of.get("leaks", []))
    yield from _published(results, scores, list(literature.values()), grids)
    yield from _in_context(results, figures_of.get("in_context", []))
    if results.of("biotypes"):
        yield _biotypes(results, figures_of.get("biotypes", []))


def _overview(figures_of: Mapping[str, list[Figure]]) -> Iterator[Section]:
    """Yield what is drawn of all benchmarks together, and does not fit beside the answer."""
    drawn = [figure for home in HOMES for figure in figures_of.get(home, [])]
    if drawn:
        yield Section(
            name="benchmarks",
            title="All benchmarks",
            introduction="Each mark is one seed, each short upright line a mean. The long lines "
            "are trivial baselines: what can be had without a network.",
            figures=drawn,
        )


def _honest(by_protocol: list[Judged]) -> list[Score]:
    """Return the scores by our own protocol."""
    return next((of.scores for of in by_protocol if of.protocol is OURS), [])


def _families(by_protocol: list[Judged]) -> dict[Family, list[Judged]]:
    """Return the scores by each protocol of each family that there are any of."""
    found: dict[Family, list[Judged]] = {family: [] for family in families.ALL}
    for of in by_protocol:
        for family, scores in families.grouped(of.scores, of.families).items():
            found[family].append(replace(of, scores=scores))
    return {family: those for family, those in found.items() if those}


def _family(
    family: Family,
    by_protocol: list[Judged],
    literature: Mapping[tuple[str, str], Table],
    figures_of: Mapping[str, list[Figure]],
) -> Section:
    scores = _honest(by_protocol)
    return Section(
        name=family.name,
        title=family.title,
        introduction=family.introduction,
        figures=figures_of.get(family.name, []),
        choices=[*family_tables.tables(family, by_protocol, literature)],
        tables=task_tables.groups(scores),
        details=[summaries.all_metrics(family, scores)] if scores else [],
    )


def _leaks(results: Results, scores: list[Score], figures: list[Figure]) -> Iterator[Section]:
    found = leaks.tables(results, scores)
    findings = [of.sentence for of in leaks.compromised(scores)]
    if found or findings:
        yield Section(
            name="leaks",
            title="Leaks and shortcuts",
            introduction="Published test splits hold items that the train split repeats or "
            "overlaps, and classes that differ in more than their bases. Each score stands here "
            "beside that on the test items which are not leaked.",
            findings=findings,
            figures=figures,
            tables=found,
            details=leaks.details(results, scores),
        )


def _published(
    results: Results, scores: list[Score], others: list[Table], grids: list[Table]
) -> Iterator[Section]:
    """Yield what stands beside no protocol of ours, and what the paper's own gives."""
    selected = paper_protocol.selected(results)
    shown = [paper_protocol.table(selected, scores)] if selected else []
    if shown or others or grids:
        yield Section(
            name="published",
            title="Published scores and their protocols",
            introduction="A score means what its protocol lets it mean: the best of many runs, "
            "chosen by looking at the test split, is not the mean of runs that never saw it. So "
            "each protocol has a table of its own, and our scores have columns of their own.",
            tables=[*shown, *others],
            details=grids,
        )


def _in_context(results: Results, figures: list[Figure]) -> Iterator[Section]:
    prompted = task_tables.prompted(results)
    if prompted:
        yield Section(
            name="in-context",
            title="In-context learning",
            introduction="The pretrained model is shown examples and their classes within the "
            "sequence, and continues with a class.",
            figures=figures,
            tables=[task_tables.prompts(prompted)],
        )


def _biotypes(results: Results, figures: list[Figure]) -> Section:
    by_genes: dict[str, list[Run]] = {}
    for run in results.of("biotypes"):
        by_genes.setdefault(run.subject, []).append(run)
    return Section(
        name="biotypes",
        title="Genes by biotype",
        introduction="Genes laid out by the hidden states of a pretrained model, which was never "
        "told their biotypes.",
        figures=figures,
        tables=[task_tables.biotypes(runs) for runs in by_genes.values()],
    )
