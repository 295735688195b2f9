"""Scores without the test items that train repeats or overlaps, and what a shortcut alone gives."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hyenadna.report import formats
from hyenadna.report.formats import TITLES
from hyenadna.report.inputs.outcomes import Leaked
from hyenadna.report.inputs.results import STAGES, Results
from hyenadna.report.scores import DECIMALS, SHORTCUTS, Score, Spread, several_models, stages_in_use
from hyenadna.report.tables.cells import Cell, Column, Table, difference, number, spread, texts
from hyenadna.report.tables.summaries import name_columns, names_of, sources_of


@dataclass(frozen=True)
class Compromised:
    """A benchmark on which a method that sees no base, or only coordinates, beats every network."""

    benchmark: str
    metric: str
    shortcut: str
    value: float
    network: str
    best: float
    """Of the networks."""

    @property
    def sentence(self) -> str:
        """The finding in plain words."""
        return (
            f"On {self.benchmark} the baseline “{TITLES[self.shortcut].lower()}” reaches "
            f"{self.metric} {formats.score(self.value)} and beats every network (best: "
            f"{self.network}, {formats.score(self.best)}): a score on the whole test split of this "
            "set says little about sequence."
        )


def compromised(scores: list[Score]) -> list[Compromised]:
    """Find the benchmarks that a shortcut solves better than any network that was trained."""
    found = []
    for benchmark in dict.fromkeys(score.benchmark for score in scores):
        those = [score for score in scores if score.benchmark == benchmark]
        networks = {
            f"{score.model}, {TITLES[stage].lower()}": score.means[stage]
            for score in those
            for stage in STAGES
            if stage in score.means
        }
        means = those[0].means
        shortcut = max(
            (name for name in SHORTCUTS if name in means), key=means.__getitem__, default=None
        )
        if shortcut and networks:
            best = max(networks, key=networks.__getitem__)
            if round(means[shortcut], DECIMALS) > round(networks[best], DECIMALS):
                values = (means[shortcut], best, networks[best])
                found.append(Compromised(benchmark, those[0].metric, shortcut, *values))
    return found


def tables(results: Results, scores: list[Score]) -> list[Table]:
    """Compare the whole test split with its leak-free part, for what has both."""
    both = _with_both(results, scores)
    return [_by_benchmark(results, both)] if both else []


def details(results: Results, scores: list[Score]) -> list[Table]:
    """Compare both splits for every method."""
    both = _with_both(results, scores)
    return [_by_method(both)] if both else []


def _with_both(results: Results, scores: list[Score]) -> list[Score]:
    return [of for of in scores if of.clean or of.benchmark in results.outcomes.leaks]


def _by_benchmark(results: Results, scores: list[Score]) -> Table:
    stages = stages_in_use(scores)
    counted = [results.outcomes.leaks.get(score.benchmark) for score in scores]
    return Table(
        name="leaks",
        title="With and without leaked test items",
        caption="An item of the test split is leaked where a train or validation item has the same "
        "bases, on either strand, or shares at least one base pair of the same genome with it. "
        "Each score is that of the whole split, then of the rest without leaked items (clean). The "
        "same networks and baselines give both.",
        columns=[
            *name_columns(scores),
            Column("Test items"),
            Column("Leaked"),
            Column("Best baseline"),
            Column("Best baseline, clean"),
            *(
                Column(f"{TITLES[stage]}{part}", spread=True)
                for stage in stages
                for part in ("", ", clean")
            ),
        ],
        rows=[
            [
                *names_of(score, scores),
                *_counts(score, leaked),
                *_best_baselines(score),
                *(cell for stage in stages for cell in _pair(score, stage)),
            ]
            for score, leaked in zip(scores, counted, strict=True)
        ],
        sources=(*sources_of(scores), *dict.fromkeys(of.path for of in counted if of)),
    )


def _counts(score: Score, leaked: Leaked | None) -> list[Cell]:
    if leaked is None:
        whole = score.info.counts.get("test")
        return [Cell(formats.count(whole), value=whole), Cell(formats.NOTHING)]
    kinds = f"{leaked.duplicates:,} duplicates, {leaked.overlaps:,} overlaps"
    share = formats.share(leaked.leaked, leaked.test_items)
    return [
        Cell(formats.count(leaked.test_items), value=leaked.test_items),
        Cell(f"{leaked.leaked:,} ({share})", note=kinds, value=leaked.leaked),
    ]


def _best_baselines(score: Score) -> list[Cell]:
    """Return the best baseline of each split, which need not be the same one."""
    clean = {
        name: of.mean
        for name, of in score.clean.items()
        if name in score.baselines and math.isfinite(of.mean)
    }
    whole = {name: score.means[name] for name in score.baselines if name in score.means}
    return [_highest(whole), _highest(clean)]


def _highest(values: dict[str, float]) -> Cell:
    name = max(values, key=values.__getitem__, default=None)
    if name is None:
        return Cell(formats.NOTHING)
    return replace(number(values[name]), note=TITLES[name].lower())


def _pair(score: Score, method: str) -> tuple[Cell, Cell]:
    return spread(score.test(method)), spread(score.clean.get(method, Spread(())))


def _by_method(scores: list[Score]) -> Table:
    return Table(
        name="leaks-by-method",
        title="Every method with and without leaked test items",
        caption="Mean ± sample standard deviation over n seeds. The last column is the clean score "
        "minus that of the whole split.",
        columns=[
            *texts("Benchmark", *(["Model"] if several_models(scores) else []), "Metric", "Method"),
            Column("Whole test split", spread=True),
            Column("Clean", spread=True),
            Column("Difference"),
        ],
        rows=[row for score in scores for row in _methods(score, scores)],
        sources=sources_of(scores),
    )


def _methods(score: Score, scores: list[Score]) -> Iterator[list[Cell]]:
    for method, clean in score.clean.items():
        whole = score.test(method)
        pair = (spread(whole), spread(clean))
        if method in score.baselines:  # has no seeds
            pair = (number(whole.mean), number(clean.mean))
        yield [
            *names_of(score, scores),
            Cell(TITLES[method]),
            *pair,
            difference(clean.mean - whole.mean),
        ]
