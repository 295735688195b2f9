"""Perplexities, genomes, costs and every measure of a benchmark, as tables."""

import math
from collections.abc import Iterable

from hyenadna.report import anchors, formats
from hyenadna.report.costs import by_rule
from hyenadna.report.families import Family
from hyenadna.report.formats import TITLES
from hyenadna.report.inputs.results import GenomeSummary, Job, Run
from hyenadna.report.scores import (
    BASELINES,
    METRICS,
    Score,
    Spread,
    markov,
    measure_of,
    several_models,
)
from hyenadna.report.tables.cells import (
    Cell,
    Column,
    Table,
    duration,
    mark_best,
    memory,
    number,
    spread,
    texts,
)


def all_metrics(family: Family, scores: list[Score]) -> Table:
    """Show every measure of every method on the benchmarks of a family."""
    names = {name for score in scores for run in score.runs for name in run.metrics.names("test")}
    found = set(map(measure_of, names))
    measured = [metric for metric in METRICS if metric in found]
    return Table(
        name=f"all-metrics-{family.name}",
        title=f"Every measure of every method: {family.title}",
        caption="On the test split; mean ± sample standard deviation over n seeds. For several "
        "labels, auroc and auprc are means over labels. Of mse, the mean squared error, less is "
        "better.",
        columns=[
            *texts("Benchmark", "Model", "Method"),
            *(Column(name, spread=True) for name in measured),
        ],
        rows=[row for score in scores for row in _metric_rows(score, measured)],
        sources=sources_of(scores),
    )


def name_columns(scores: list[Score]) -> list[Column]:
    """Head the columns of `names_of`."""
    return texts("Benchmark", *(["Model"] if several_models(scores) else []), "Metric")


def names_of(score: Score, scores: list[Score]) -> list[Cell]:
    """Name a score: its benchmark, its model if there are several, its metric."""
    model = [Cell(score.model or formats.NOTHING)] if several_models(scores) else []
    return [
        Cell(score.benchmark, link=_page_of(score), sources=sources_of([score])),
        *model,
        Cell(score.metric),
    ]


def _page_of(score: Score) -> str:
    """Return where the benchmark's own page is; one that only a grid was run on has none."""
    has_page = any(run.stage != "paper" for run in score.runs)
    return anchors.of_benchmark(score.benchmark) if has_page else ""


def sources_of(scores: list[Score]) -> tuple[str, ...]:
    """Return the files that scores come from, each once."""
    return tuple(dict.fromkeys(run.metrics_file for score in scores for run in score.runs))


def _metric_rows(score: Score, metrics: list[str]) -> Iterable[list[Cell]]:
    baseline = next((run for run in score.runs if run.stage == "baselines"), None)
    methods = {method: [baseline] for method in score.means if method in BASELINES and baseline}
    stages = {stage: [run for run in score.runs if run.stage == stage] for stage in score.stages}
    for method, runs in {**methods, **stages}.items():
        prefix = f"{method}." if method in BASELINES else ""
        yield [
            Cell(score.benchmark, sources=tuple(run.metrics_file for run in runs)),
            Cell("" if prefix else score.model),
            Cell(TITLES[method]),
            *(measured(runs, prefix + name) for name in metrics),
        ]


def perplexities(runs: list[Run]) -> Table:
    """Show the language model of one genome beside the Markov chains."""
    names = ("perplexity", "bits_per_base", "accuracy")
    rows = [
        [Cell(f"{run.model}, seed {run.seed}", sources=(run.metrics_file,)), *_language(run)]
        for run in runs
    ]
    for order in markov(runs[0], "valid") | markov(runs[0], "test"):
        title = Cell(f"Markov chain, order {order}", sources=(runs[0].metrics_file,))
        rows.append([title, *_chain(runs[0], order)])
    for column, name in enumerate(names * 2, start=1):
        mark_best(rows, column, highest=name == "accuracy")
    return Table(
        name=f"perplexities-{runs[0].subject}",
        title=f"Next-base prediction on {runs[0].subject}",
        caption="Over the bases A, C, G and T of held-out intervals. Perplexity and bits per base: "
        "lower is better, 4 and 2 are guessing. Chains are fitted on the same training windows.",
        columns=[
            Column("Model", kind="text"),
            *(
                Column(f"{split} {name.replace('_', ' ')}")
                for split in ("Validation", "Test")
                for name in names
            ),
            Column("Tokens seen"),
        ],
        rows=rows,
        sources=tuple(run.metrics_file for run in runs),
        marks_best="column",
    )


def _language(run: Run) -> list[Cell]:
    values = [
        run.metrics.last(split, name)
        for split in ("valid", "test")
        for name in ("perplexity", "bits_per_base", "accuracy")
    ]
    tokens = run.metrics.last("train", "tokens")
    return [*map(number, values), number(tokens, formats.count)]


def _chain(run: Run, order: int) -> list[Cell]:
    cells = []
    for split in ("valid", "test"):
        perplexity = markov(run, split).get(order, math.nan)
        cells += [number(perplexity), number(math.log2(perplexity))]
        cells.append(number(run.metrics.last(split, f"markov{order}.accuracy")))
    return [*cells, Cell(formats.NOTHING)]


def measured(runs: list[Run], name: str) -> Cell:
    """Return a measure over seeds; of a baseline, which has none, its value."""
    if runs[0].stage == "baselines":
        return number(runs[0].metrics.last("test", name))
    if not any(name in run.metrics.names("test") for run in runs):
        return Cell(formats.NOTHING)  # not defined for this kind of labels
    return spread(Spread.of(run.metrics.last("test", name) for run in runs))


def genomes(of: list[GenomeSummary]) -> Table:
    """Count the letters of each genome."""
    letters = list(dict.fromkeys(letter for genome in of for letter in genome.counts))
    return Table(
        name="genomes",
        title="Genomes",
        columns=[
            Column("Genome", kind="text"),
            Column("Contigs"),
            Column("Length"),
            *(Column(letter.replace("_", " ")) for letter in letters),
            Column("SHA-256 of tokens", kind="code"),
        ],
        rows=[
            [
                Cell(genome.name, sources=(genome.path,)),
                Cell(formats.count(genome.contigs), value=genome.contigs),
                Cell(formats.bases(genome.bases), value=genome.bases),
                *(_letters(genome, letter) for letter in letters),
                Cell(genome.sha256),
            ]
            for genome in of
        ],
        sources=tuple(genome.path for genome in of),
    )


def _letters(genome: GenomeSummary, letter: str) -> Cell:
    n = genome.counts.get(letter, 0)
    return Cell(formats.count(n), note=formats.share(n, genome.bases), value=n)


def costs(jobs: list[Job]) -> Table:
    """Show time and memory of each rule."""
    return Table(
        name="timings",
        title="Time and memory by rule",
        columns=[
            *texts("Rule"),
            Column("Jobs"),
            Column("Total time"),
            Column("Longest job"),
            Column("Peak memory"),
        ],
        rows=[
            [
                Cell(cost.rule, sources=cost.sources),
                Cell(str(cost.jobs), value=cost.jobs),
                duration(cost.total),
                duration(cost.longest),
                memory(cost.peak),
            ]
            for cost in by_rule(jobs)
        ],
        sources=tuple(job.path for job in jobs),
    )
