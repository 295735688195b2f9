"""Chapters of the page, and those on tasks: benchmarks, leaks, errors, published scores."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hyenadna.report import leaks, paper_protocol, published, tables, task_tables
from hyenadna.report.answer import Fact
from hyenadna.report.cells import Table
from hyenadna.report.drawing import Figure
from hyenadna.report.provenance import Command
from hyenadna.report.results import Results, Run
from hyenadna.report.scores import Score

OPEN_FIGURES = 24
"""More small figures than these are folded away."""


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
    tables: list[Table] = field(default_factory=list)
    details: list[Table] = field(default_factory=list)
    """Tables that are folded away."""
    remark: str = ""
    """What must be known beside the tables."""
    facts: list[Fact] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


def of_tasks(
    results: Results, scores: list[Score], figures_of: dict[str, list[Figure]]
) -> Iterator[Section]:
    """Yield what there is to say of each kind of task."""
    if scores:
        yield _benchmarks(scores, figures_of["benchmarks"])
    yield from _leaks(results, scores, figures_of["leaks"])
    if figures_of["behind"]:
        yield _behind(figures_of["behind"])
    yield from _published(results, scores)
    yield from _in_context(results, figures_of["in_context"])
    if results.of("biotypes"):
        yield _biotypes(results, figures_of["biotypes"])


def _benchmarks(scores: list[Score], figures: list[Figure]) -> Section:
    return Section(
        name="benchmarks",
        title="Benchmarks",
        introduction="Each mark is one seed, each short upright line a mean. The long lines are "
        "trivial baselines: what can be had without a network.",
        figures=figures,
        tables=[tables.benchmarks(scores), *task_tables.groups(scores)],
        details=[tables.all_metrics(scores)],
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


def _behind(figures: list[Figure]) -> Section:
    open_ones = figures if len(figures) <= OPEN_FIGURES else []
    return Section(
        name="behind",
        title="Behind the scores",
        introduction="What each class is taken for, how hits trade against false alarms, and how "
        "unlike the targets of one benchmark are. Of the fine-tuned model where there is one, on "
        "the whole test split.",
        figures=open_ones,
        folded=[] if open_ones else figures,
    )


def _published(results: Results, scores: list[Score]) -> Iterator[Section]:
    selected = paper_protocol.selected(results)
    shown = [paper_protocol.table(selected, scores)] if selected else []
    literature = published.tables(results.published, scores, selected, results.of("biotypes"))
    if shown or literature:
        yield Section(
            name="published",
            title="Published scores and their protocols",
            introduction="A score means what its protocol lets it mean: the best of many runs, "
            "chosen by looking at the test split, is not the mean of runs that never saw it. So "
            "each protocol has a table of its own, and our scores have columns of their own.",
            tables=[*shown, *literature],
            details=published.grids(results.published, literature),
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
