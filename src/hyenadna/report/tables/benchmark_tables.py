"""The tables of one benchmark, with a row for each method, and what they come to in words."""

from collections.abc import Iterator
from dataclasses import replace

from hyenadna.report import formats, intervals
from hyenadna.report.anchors import identifier
from hyenadna.report.formats import TITLES
from hyenadna.report.inputs.results import STAGES, Results, Run
from hyenadna.report.intervals import Interval
from hyenadna.report.scores import BASELINES, METRICS, Score, Spread, measure_of
from hyenadna.report.tables.cells import Cell, Column, Table, gain, mark_best, number, spread, texts
from hyenadna.report.tables.published import UNNAMED
from hyenadna.report.tables.summaries import measured, sources_of

Method = tuple[Score, str, list[Run]]
"""A baseline or a way of training, the score that it belongs to, and its runs."""


def main_stage(score: Score) -> str:
    """Return the way of training that a score is told by, empty where there is none."""
    return next((stage for stage in reversed(STAGES) if stage in score.means), "")


def methods(results: Results, those: list[Score]) -> Table:
    """Show each method of one benchmark: its score, and by how much it beats the best baseline."""
    found = list(_methods(those))
    has_clean = any(score.clean for score in those)
    rows = [
        [
            *_names(score, method, runs),
            _score(score.test(method), method),
            *_gain(results, score, method),
            *([_score(score.clean.get(method, Spread(())), method)] if has_clean else []),
        ]
        for score, method, runs in found
    ]
    mark_best(rows, 2, highest=True)
    return Table(
        name=identifier("methods", those[0].benchmark),
        title="Every method",
        caption="On the whole test split; mean ± sample standard deviation over n seeds. Below a "
        "difference stands its 95 % interval."
        + (" Clean: without the leaked test items." if has_clean else ""),
        columns=[
            *texts("Method", "Model"),
            Column(those[0].metric, spread=True),
            Column("Above the best baseline", interval=True),
            Column("Above training from scratch", interval=True),
            *([Column(f"{those[0].metric}, clean", spread=True)] if has_clean else []),
        ],
        rows=rows,
        sources=sources_of(those),
        marks_best="column",
    )


def measures(those: list[Score]) -> Table:
    """Show every measure of each method."""
    names = {name for score in those for run in score.runs for name in run.metrics.names("test")}
    found = set(map(measure_of, names))
    shown = [metric for metric in METRICS if metric in found]
    return Table(
        name=identifier("measures", those[0].benchmark),
        title=f"Every measure on {those[0].benchmark}",
        caption="On the test split; mean ± sample standard deviation over n seeds.",
        columns=[*texts("Method", "Model"), *(Column(name, spread=True) for name in shown)],
        rows=[
            [
                *_names(score, method, runs),
                *(
                    measured(runs, f"{method}.{name}" if method in BASELINES else name)
                    for name in shown
                ),
            ]
            for score, method, runs in _methods(those)
        ],
        sources=sources_of(those),
    )


def _methods(those: list[Score]) -> Iterator[Method]:
    """Yield baselines once, since they do not depend on the model, then each way of training."""
    for method in (name for name in BASELINES if name in those[0].means):
        yield those[0], method, [run for run in those[0].runs if run.stage == "baselines"]
    for score in those:
        for stage in score.stages:
            yield score, stage, [run for run in score.runs if run.stage == stage]


def _names(score: Score, method: str, runs: list[Run]) -> list[Cell]:
    model = formats.NOTHING if method in BASELINES else score.model
    return [Cell(TITLES[method], sources=tuple(run.metrics_file for run in runs)), Cell(model)]


def _score(of: Spread, method: str) -> Cell:
    """Return a score, of a baseline without a count of seeds."""
    return number(of.mean) if method in BASELINES else spread(of)


def _gain(results: Results, score: Score, method: str) -> list[Cell]:
    """Return by how much a way of training exceeds the best baseline, and itself from scratch."""
    if method in BASELINES:
        return [Cell(formats.NOTHING)] * 2
    others = [score.best_baseline, "scratch" if method != "scratch" else None]
    return [gain(intervals.difference(results, score, method, other)) for other in others]


def published(results: Results, best: Score) -> list[Table]:
    """Show what others have published of one benchmark, beside our best model."""
    rows = [row for row in results.published.scores if row.benchmark == best.benchmark]
    if not rows:
        return []
    stage = main_stage(best)
    trained = [run.metrics_file for run in best.runs if run.stage == stage]
    meanings = {
        row.protocol: results.published.meanings.get((row.family, row.protocol), "") for row in rows
    }
    shown = []
    for row in rows:
        alike = stage and UNNAMED.get(row.metric, row.metric) == best.metric
        ours = intervals.against(results, best, stage, row.value) if alike else None
        note = f"± {formats.score(row.spread)} {row.spread_is}" if row.spread >= 0 else ""
        shown.append([
            Cell(row.model),
            Cell(row.parameters or formats.NOTHING),
            Cell(row.metric),
            replace(number(row.value), note=note, sd=row.spread),
            gain(ours) if ours else Cell(formats.NOTHING),
            *map(Cell, (row.protocol, row.source, row.remarks)),
        ])  # fmt: skip
    return [
        Table(
            name=identifier("published", best.benchmark),
            title="Published scores",
            caption="Compare only what was measured alike. "
            + " ".join(f"Protocol {name}: {text}" for name, text in meanings.items() if text),
            columns=[
                *texts("Model", "Parameters", "Metric"),
                Column("Score"),
                Column(f"Ours above it ({best.model})", interval=True),
                *texts("Protocol", "Source", "Remarks"),
            ],
            rows=shown,
            sources=(
                *dict.fromkeys(results.published.paths[row.family] for row in rows),
                *trained,
            ),
        )
    ]


def findings(results: Results, best: Score) -> Iterator[str]:
    """Say what the best model reaches, and what of that the network and its pretraining gave."""
    stage = main_stage(best)
    if not stage:
        return
    of = best.stages[stage]
    yield (
        f"The best of our models, {best.model}, {TITLES[stage].lower()}, reaches {best.metric} "
        f"{formats.spread(of)} over {formats.plural(of.n, 'seed')}."
    )
    others = {"scratch": "the same network trained from scratch"}
    if best.best_baseline:
        title = TITLES[best.best_baseline].lower()
        others = {best.best_baseline: f"the best baseline, {title}"} | others
    for other, title in others.items():
        if other in best.means and other != stage:
            by = intervals.difference(results, best, stage, other)
            yield f"{_by(by)} {title} ({formats.score(best.means[other])}){_judged(by)}."


def _by(of: Interval) -> str:
    return f"It is {formats.score(abs(of.value))} {'above' if of.value >= 0 else 'below'}"


def _judged(of: Interval) -> str:
    if not of.is_known:
        return ""
    bounds = f"{formats.signed(of.low)} to {formats.signed(of.high)}"
    verdict = "beyond chance" if of.excludes_zero else "which may be chance"
    return f", {verdict}: the 95 % interval is {bounds}, over {of.covers}"
