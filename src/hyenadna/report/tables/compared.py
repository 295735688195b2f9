"""Test scores beside what they are measured by: baselines, the same from scratch, and published."""

import math
from collections.abc import Iterator
from dataclasses import replace

from hyenadna.report import formats
from hyenadna.report.families import Family, grouped
from hyenadna.report.formats import TITLES
from hyenadna.report.inputs.literature import PublishedScore
from hyenadna.report.intervals import Interval
from hyenadna.report.scores import DECIMALS, Score, Spread, stages_in_use
from hyenadna.report.tables import published
from hyenadna.report.tables.cells import (
    Cell,
    Column,
    Table,
    allowed_for,
    difference,
    gain,
    number,
    spread,
    texts,
)
from hyenadna.report.tables.protocols import Judged
from hyenadna.report.tables.summaries import name_columns, names_of, sources_of

Filled = tuple[Column, list[Cell]]
"""A column with its cells."""


def glance(of: Judged) -> Table:
    """Compare the model that is judged with the best baseline and what is published, in brief."""
    gains = _gains(of)
    del gains["scratch"]
    return _compared(of, gains, name=of.protocol.name, title=of.protocol.title)


def of_family(family: Family, of: Judged) -> Table:
    """Compare the model that is judged with all that stands beside it in a family."""
    table = _compared(
        of,
        _gains(of),
        name=f"{of.protocol.name}-{family.name}",
        title=f"{family.title}: {of.protocol.title[0].lower()}{of.protocol.title[1:]}",
    )
    return replace(table, view="Compared")


def _gains(of: Judged) -> dict[str, list[Interval]]:
    """Return by how much the model that is judged is above each thing, by score."""
    return {
        "baseline": [of.gain(score, score.best_baseline) for score in of.scores],
        "published": [of.gain_on_published(score) for score in of.scores],
        "scratch": [of.gain(score, "scratch") for score in of.scores],
    }


def _compared(of: Judged, gains: dict[str, list[Interval]], *, name: str, title: str) -> Table:
    known = {key: those for key, those in gains.items() if any(_is_number(g) for g in those)}
    columns = list(_columns(of, known))
    every = [one for those in known.values() for one in those]
    said = [of.protocol.caption, *_on_gains(every, of.model), *_on_published(of)]
    return Table(
        name=name,
        title=title,
        caption=" ".join(said),
        choice=of.protocol.choice,
        columns=[*name_columns(of.scores), *(column for column, _ in columns)],
        rows=[
            [*names_of(score, of.scores), *(cells[index] for _, cells in columns)]
            for index, score in enumerate(of.scores)
        ],
        sources=(*sources_of(of.scores), *_published_files(of)),
        marks_best="row",
    )


def _is_number(of: Interval) -> bool:
    return math.isfinite(of.value)


def _columns(of: Judged, gains: dict[str, list[Interval]]) -> Iterator[Filled]:
    """Yield the model that is judged, and behind each rival by how much it is above it."""
    scores, stages = of.scores, stages_in_use(of.scores)
    usual = allowed_for(one for those in gains.values() for one in those)

    def gained(on: str) -> Iterator[Filled]:
        if on in gains:
            column = Column(f"Gain over {on}", interval=True)
            yield column, [gain(one, usual) for one in gains[on]]

    def trained(stage: str) -> Iterator[Filled]:
        if stage in stages:
            cells = [
                replace(spread(of.stages.get(stage, Spread(()))), best=stage in of.best)
                for of in scores
            ]
            yield Column(TITLES[stage], spread=True), cells

    yield from trained(of.stage)
    yield Column("Best baseline"), [_best_baseline(score) for score in scores]
    yield from gained("baseline")
    references = [of.published(score) for score in scores]
    if any(references):
        yield Column(f"{published.REFERENCE}, published"), [*map(_published_score, references)]
    yield from gained("published")
    if of.stage != "scratch":
        yield from trained("scratch")
        yield from gained("scratch")
    if of.stage != "probe":
        yield from trained("probe")


def baseline_score(score: Score, method: str | None) -> Cell:
    """Return what a baseline scores."""
    return replace(number(score.means.get(method or "", math.nan)), best=method in score.best)


def _best_baseline(score: Score) -> Cell:
    name = score.best_baseline
    note = TITLES[name].lower() if name else ""
    return replace(baseline_score(score, name), note=note)


def _published_score(row: PublishedScore | None) -> Cell:
    """Return a published score, with the size of the model and the protocol below it."""
    if row is None:
        return Cell(formats.NOTHING)
    return replace(number(row.value), note=" · ".join(filter(None, (row.parameters, row.protocol))))


def _on_gains(gains: list[Interval], model: str) -> Iterator[str]:
    """Say what the gains are of, and what their intervals allow for."""
    if not gains:
        return
    yield f"A gain is that of the {model}."
    covered = {of.covers for of in gains if of.covers}
    if not covered:
        yield "No interval is known: that takes several seeds, or resamples of the test items."
    else:
        others = "" if len(covered) == 1 else ", unless it says of which alone"
        yield (
            f"Below it stands its 95 % interval, which allows for chance in {allowed_for(gains)}"
            f"{others}."
        )


def _on_published(of: Judged) -> Iterator[str]:
    rows = [row for row in map(of.published, of.scores) if row]
    if of.protocol.selected_on == "valid" and any(map(of.results.published.selects_on_test, rows)):
        names = formats.listed(
            sorted({row.protocol for row in rows if of.results.published.selects_on_test(row)})
        )
        yield (
            f"Published scores marked “{names}” were selected on the test split, which ours were "
            "not: they are higher for it."
        )


def _published_files(of: Judged) -> tuple[str, ...]:
    """Return the tables that the published scores beside ours are from."""
    families = dict.fromkeys(row.family for row in map(of.published, of.scores) if row)
    return tuple(of.results.published.paths[family] for family in families)


def summary(of: Judged) -> Table:
    """Count, by family and model, where the fine-tuned model is above what stands beside it."""
    rows = [
        [
            Cell(family.title, link=family.name, sources=sources_of(those)),
            Cell(model or formats.NOTHING),
            Cell(str(len(those)), value=len(those)),
            *_counted([of.gain(score, score.best_baseline) for score in those]),
            *_counted([of.gain_on_published(score) for score in those]),
            *_counted([of.gain(score, "scratch") for score in those]),
        ]
        for family, scores in grouped(of.scores, of.families).items()
        for model, those in _by_model(scores).items()
    ]
    return Table(
        name=of.protocol.name,
        title=f"{of.protocol.title} by family",
        caption=f"On how many benchmarks the mean of the {of.model} is above the best "
        f"baseline, the published {published.REFERENCE}, and the same network from random "
        "weights; below it, how many of these differences are beyond chance, up and down: their "
        "95 % interval excludes zero.",
        choice=of.protocol.choice,
        columns=[
            *texts("Family", "Model"),
            Column("Benchmarks"),
            Column("Above baseline"),
            Column("Mean gain over baseline"),
            Column("Above published"),
            Column("Mean gain over published"),
            Column("Above scratch"),
            Column("Mean gain over scratch"),
        ],
        rows=rows,
        sources=(*sources_of(of.scores), *_published_files(of)),
    )


def _by_model(scores: list[Score]) -> dict[str, list[Score]]:
    """Return scores by model; benchmarks that only baselines were run on have none."""
    models = dict.fromkeys(score.model for score in scores)
    return {model: [score for score in scores if score.model == model] for model in models}


def _counted(gains: list[Interval]) -> tuple[Cell, Cell]:
    """Count the gains above zero, as shown, and average all that there are."""
    known = [gain.value for gain in gains if math.isfinite(gain.value)]
    if not known:
        return Cell(formats.NOTHING), Cell(formats.NOTHING)
    above = sum(round(value, DECIMALS) > 0 for value in known)
    judged = [gain for gain in gains if gain.is_known]
    up, down = sum(gain.low > 0 for gain in judged), sum(gain.high < 0 for gain in judged)
    note = f"{up} up, {down} down" if judged else ""
    counts = Cell(f"{above} of {len(known)}", note=note, value=above)
    return counts, difference(math.fsum(known) / len(known))
