"""Tables of what only some tasks have: groups of targets, biotypes, prompts."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hyenadna.report import formats
from hyenadna.report.formats import TITLES
from hyenadna.report.inputs.results import Results, Run
from hyenadna.report.scores import BASELINES, Score, Spread, measure_of
from hyenadna.report.tables.cells import Cell, Column, Table, mark_best, number, spread, texts
from hyenadna.report.tables.summaries import measured

AXES = {"soft_prompt": ("prompt tokens", "shots"), "few_shot": ("shots", "tuning samples")}
"""What a method of prompting varies: what it is drawn against, what tells its lines apart."""
PLACES = ("prompt tokens", "shots", "tuning samples")
"""What the numbers are that a score of prompting has as its key."""

MEDIANS = ("auroc_median", "auprc_median")


def groups(scores: list[Score]) -> list[Table]:
    """Show medians over the targets of a group, of those benchmarks that have groups."""
    found = {score.title: _grouped(score) for score in scores}
    names = list(dict.fromkeys(name for of in found.values() for name in of))
    if not names:
        return []
    grouped = [score for score in scores if found[score.title]]
    return [
        Table(
            name="medians-by-group",
            title="Medians over the targets of each group",
            caption="On the whole test split; mean ± sample standard deviation over n seeds of the "
            "median over the targets of a group. Targets without a positive and a negative test "
            "item are left out.",
            columns=[
                *texts("Benchmark", "Model", "Method"),
                *(Column(name.replace("_median.", " "), spread=True) for name in names),
            ],
            rows=[row for score in grouped for row in _group_rows(score, names)],
            sources=tuple(run.metrics_file for score in grouped for run in score.runs),
        )
    ]


def _grouped(score: Score) -> list[str]:
    """Return the names of a score's medians by group, without the baseline that heads them."""
    names = [name for run in score.runs for name in run.metrics.names("test")]
    found = [name.partition(".") for name in dict.fromkeys(map(measure_of, names))]
    groups = ["".join(parts) for parts in found if parts[0] in MEDIANS and parts[2]]
    return sorted(groups, key=_by_measure)


def _by_measure(name: str) -> tuple[int, str]:
    measure, _, group = name.partition(".")
    return MEDIANS.index(measure), group


def _group_rows(score: Score, names: list[str]) -> Iterator[list[Cell]]:
    baseline = [run for run in score.runs if run.stage == "baselines"]
    methods = {name: (baseline, f"{name}.") for name in BASELINES if name in score.means}
    for stage in score.stages:
        methods[stage] = ([run for run in score.runs if run.stage == stage], "")
    for method, (runs, prefix) in methods.items():
        yield [
            Cell(score.benchmark, sources=tuple(run.metrics_file for run in runs)),
            Cell("" if prefix else score.model),
            Cell(TITLES[method]),
            *(measured(runs, prefix + name) for name in names),
        ]


def biotypes(runs: list[Run]) -> Table:
    """Show what a classifier reads from the embeddings of each model, beside baselines.

    Args:
        runs: those on one set of genes.
    """
    found = [(run, _by_method(run)) for run in runs]
    measures = list(
        dict.fromkeys(
            measure
            for _, methods in found
            for values in methods.values()
            for measure in values
            if not measure.endswith(".sd")
        )
    )
    rows = [
        [Cell(name), Cell(TITLES.get(method, method)), *(_with_sd(values, of) for of in measures)]
        for name, method, values in _biotype_rows(found)
    ]
    for column in range(2, len(measures) + 2):
        mark_best(rows, column, highest=True)
    return Table(
        name=f"biotypes-{runs[0].subject}",
        title=f"Biotype predicted on {runs[0].subject}",
        caption="Mean ± sample standard deviation over the folds of a cross-validation. An "
        "untrained network of the same size shows what its structure alone gives. Baselines see "
        "the same genes and no network.",
        columns=[
            *texts("Model", "Method"),
            *(Column(measure.replace("_", " "), spread=True) for measure in measures),
        ],
        rows=rows,
        sources=tuple(run.metrics_file for run in runs),
        marks_best="column",
    )


def _by_method(run: Run) -> dict[str, dict[str, float]]:
    of: dict[str, dict[str, float]] = {}
    for name in run.metrics.names("test"):
        method, _, measure = name.partition(".")
        of.setdefault(method, {})[measure] = run.metrics.last("test", name)
    return of


def _biotype_rows(
    found: list[tuple[Run, dict[str, dict[str, float]]]],
) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Yield baselines once, since they do not depend on the model, then each model."""
    baselines: dict[str, dict[str, float]] = {}
    for _, methods in found:
        baselines = {name: of for name, of in methods.items() if name in BASELINES} | baselines
    for method, values in baselines.items():
        yield formats.NOTHING, method, values
    for run, methods in found:
        twins = [other for other, _ in found if other.model == run.model]
        name = run.model if len(twins) == 1 else f"{run.model}, {run.repeat}"
        for method, values in methods.items():
            if method not in BASELINES:
                yield name, method, values


def _with_sd(found: dict[str, float], measure: str) -> Cell:
    value, sd = found.get(measure, math.nan), found.get(f"{measure}.sd", math.nan)
    note = f"± {formats.score(sd)}" if math.isfinite(sd) else ""
    return replace(number(value), note=note, sd=sd)


@dataclass(frozen=True)
class Prompting:
    """In-context learning of one model on one benchmark by one method, over seeds."""

    benchmark: str
    model: str
    method: str
    metric: str
    scores: dict[tuple[int, int, int], Spread]
    """By prompt tokens, shots and tuning samples, ascending."""
    majority: float
    """The score of always the commonest class, NaN where it is not known."""
    sources: tuple[str, ...]

    @property
    def title(self) -> str:
        """What was done, for humans."""
        return f"{TITLES.get(self.method, self.method)}: {self.benchmark} · {self.model}"


def prompted(results: Results) -> list[Prompting]:
    """Gather what was measured of in-context learning."""
    values: dict[tuple[str, str, str, str], dict[tuple[int, int, int], list[float]]] = {}
    for run in results.of("in_context"):
        rows = results.outcomes.prompted.get(run.path, [])
        # Accuracy is what the paper draws; a run has a row for every other measure too.
        metric = "accuracy" if any(row.metric == "accuracy" for row in rows) else run.info.metric
        for row in (row for row in rows if row.metric == metric):
            of = values.setdefault((run.subject, run.model, row.method, row.metric), {})
            at = (row.prompt_tokens, row.shots, row.tuning_samples)
            of.setdefault(at, []).append(row.value)
    return [
        Prompting(
            *key,
            scores={at: Spread.of(of[at]) for at in sorted(of)},
            majority=_majority(results, key[0], key[3]),
            sources=tuple(
                f"{run.path}/in_context.tsv"
                for run in results.of("in_context")
                if (run.subject, run.model) == key[:2] and run.path in results.outcomes.prompted
            ),
        )
        for key, of in values.items()
    ]


def _majority(results: Results, benchmark: str, metric: str) -> float:
    """Return the majority's score as the baselines measured it, or else as the runs did."""
    runs = [run for run in results.of("baselines", "in_context") if run.subject == benchmark]
    found = [run.metrics.last("test", f"majority.{metric}") for run in reversed(runs)]
    return next(filter(math.isfinite, found), math.nan)


def prompts(of: list[Prompting]) -> Table:
    """Show every score of in-context learning."""
    return Table(
        name="in-context",
        title="In-context learning",
        caption="Mean ± sample standard deviation over n seeds, on the test split; demonstrations "
        "are train items. A soft prompt is tuned before the frozen network; few-shot tuning "
        "changes all weights. Shots are demonstrations a class.",
        columns=[
            *texts("Benchmark", "Model", "Method"),
            Column("Prompt tokens"),
            Column("Shots"),
            Column("Tuning samples"),
            *texts("Metric"),
            Column("Score", spread=True),
            Column("Majority class"),
        ],
        rows=[
            [
                Cell(one.benchmark, sources=one.sources),
                *map(Cell, (one.model, TITLES.get(one.method, one.method))),
                *_places(one.method, at),
                Cell(one.metric),
                spread(score),
                number(one.majority),
            ]
            for one in of
            for at, score in one.scores.items()
        ],
        sources=tuple(dict.fromkeys(path for one in of for path in one.sources)),
    )


def _places(method: str, at: tuple[int, int, int]) -> Iterator[Cell]:
    """Yield the numbers of a key, a dash for a zero of what the method has not."""
    varied = AXES.get(method, PLACES)
    for name, n in zip(PLACES, at, strict=True):
        yield Cell(formats.count(n), value=n) if n or name in varied else Cell(formats.NOTHING)
