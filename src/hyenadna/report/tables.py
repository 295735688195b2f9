"""The tables of the report: which cells they have."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hyenadna.report import formats
from hyenadna.report.cells import (
    Cell,
    Column,
    Table,
    difference,
    duration,
    mark_best,
    memory,
    number,
    spread,
    texts,
)
from hyenadna.report.costs import by_rule
from hyenadna.report.formats import TITLES
from hyenadna.report.results import GenomeSummary, Job, Run, RunInfo
from hyenadna.report.scores import (
    BASELINES,
    METRICS,
    Score,
    Spread,
    baselines_in_use,
    markov,
    measure_of,
    several_models,
    stages_in_use,
)


@dataclass(frozen=True)
class Protocol:
    """How test scores came about, in words for the table that shows them."""

    name: str
    choice: str
    title: str
    caption: str


OURS = Protocol(
    name="scores",
    choice="Ours: the whole test split, read once",
    title="Test scores",
    caption="Mean ± sample standard deviation over n seeds, on the whole test split.",
)


def glance(scores: list[Score], protocol: Protocol = OURS) -> Table:
    """Compare each way of training with the best trivial baseline, in few columns."""
    stages = stages_in_use(scores)
    return Table(
        name=protocol.name,
        title=protocol.title,
        caption=f"{protocol.caption} The gain is that of the fine-tuned model.",
        choice=protocol.choice,
        columns=[
            *name_columns(scores),
            Column("Best baseline", kind="text"),
            Column("Baseline"),
            *(Column(TITLES[stage], spread=True) for stage in stages),
            Column("Gain over baseline"),
        ],
        rows=[
            [
                *names_of(score, scores),
                Cell(TITLES[score.best_baseline] if score.best_baseline else formats.NOTHING),
                _baseline(score, score.best_baseline),
                *(_stage(score, stage) for stage in stages),
                difference(score.difference("finetune", score.best_baseline)),
            ]
            for score in scores
        ],
        sources=sources_of(scores),
        marks_best="row",
    )


def benchmarks(scores: list[Score]) -> Table:
    """Show each benchmark with its data and every baseline."""
    stages, baselines = stages_in_use(scores), baselines_in_use(scores)
    return Table(
        name="benchmarks",
        title="Benchmarks and their baselines",
        caption="Mean ± sample standard deviation over n seeds, on the whole test split. "
        "The gain is that of the fine-tuned model; items are train / validation / test.",
        columns=[
            *name_columns(scores),
            *(Column(TITLES[method]) for method in baselines),
            *(Column(TITLES[stage], spread=True) for stage in stages),
            Column("Gain over k-mer"),
            Column("Classes"),
            Column("Items"),
        ],
        rows=[
            [
                *names_of(score, scores),
                *(_baseline(score, method) for method in baselines),
                *(_stage(score, stage) for stage in stages),
                difference(score.difference("finetune", "kmer")),
                _classes(score),
                _items(score.info),
            ]
            for score in scores
        ],
        sources=sources_of(scores),
        marks_best="row",
    )


def all_metrics(scores: list[Score]) -> Table:
    """Show every measure of every method."""
    names = {name for score in scores for run in score.runs for name in run.metrics.names("test")}
    found = set(map(measure_of, names))
    measured = [metric for metric in METRICS if metric in found]
    return Table(
        name="all-metrics",
        title="Every measure of every method",
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
    return [Cell(score.benchmark, sources=sources_of([score])), *model, Cell(score.metric)]


def _baseline(score: Score, method: str | None) -> Cell:
    return replace(number(score.means.get(method or "", math.nan)), best=method in score.best)


def _stage(score: Score, stage: str) -> Cell:
    return replace(spread(score.stages.get(stage, Spread(()))), best=stage in score.best)


def _items(info: RunInfo) -> Cell:
    shown = [formats.count(info.counts.get(split)) for split in ("train", "valid", "test")]
    cropped = sum(info.cropped.values())
    return Cell(
        " / ".join(shown) if info.counts else formats.NOTHING,
        note=f"{cropped:,} cropped" if cropped else "",
        value="/".join(str(info.counts.get(split, 0)) for split in ("train", "valid", "test")),
    )


def _classes(score: Score) -> Cell:
    n = len(score.info.classes)
    note = {"multi": "labels", "regression": "targets"}.get(score.info.kind, "")
    return Cell(str(n) if n else formats.NOTHING, note=note, value=n)


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
        name="perplexities",
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
