"""Test scores of each benchmark over seeds, beside its trivial baselines."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from hyenadna.report.inputs.results import STAGES, Results, Run, RunInfo
from hyenadna.report.inputs.tree import is_count

BASELINES = ("majority", "length", "unknown", "kmer", "lookup")
"""Trivial methods: majority, those that see no base, k-mer counts, and a look-up by coordinate."""

SHORTCUTS = ("length", "unknown", "lookup")
"""Baselines that score on what is no property of the bases."""

METRICS = (
    "accuracy", "mcc", "f1_macro", "f1_weighted", "auroc", "auroc_median", "auprc", "auprc_median",
    "pearson", "spearman", "r2", "mse",
)  # fmt: skip
"""Measures that the tables show, in this order; higher is better in all but the last."""

DECIMALS = 3
"""Digits shown of a score; scores that agree in them tie."""


@dataclass(frozen=True)
class Spread:
    """One number measured with several seeds."""

    values: tuple[float, ...]
    """The finite ones."""
    missing: int = 0
    """Seeds whose value is not finite or not there."""

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Set aside what is not finite."""
        everything = tuple(values)
        finite = tuple(value for value in everything if math.isfinite(value))
        return cls(finite, len(everything) - len(finite))

    @property
    def n(self) -> int:
        """Seeds that count."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """Mean over seeds, NaN without any."""
        return math.fsum(self.values) / self.n if self.values else math.nan

    @property
    def sd(self) -> float:
        """Sample standard deviation (n - 1), NaN for fewer than two seeds."""
        if self.n < 2:
            return math.nan
        return math.sqrt(math.fsum((v - self.mean) ** 2 for v in self.values) / (self.n - 1))


@dataclass(frozen=True)
class Score:
    """One benchmark with one model: test scores of the headline metric."""

    benchmark: str
    model: str
    """Empty where only baselines were run."""
    metric: str
    info: RunInfo
    """Of the first run: classes, counts and kind are those of the benchmark."""
    baselines: dict[str, float]
    stages: dict[str, Spread]
    runs: tuple[Run, ...]
    clean: Mapping[str, Spread] = field(default_factory=dict)
    """Scores by method on the test items that are not leaked, of those methods that have one."""

    @property
    def title(self) -> str:
        """Benchmark and model, for humans."""
        return f"{self.benchmark} · {self.model}" if self.model else self.benchmark

    @cached_property
    def means(self) -> dict[str, float]:
        """Every finite score by method, baselines first."""
        scores = {**self.baselines, **{name: of.mean for name, of in self.stages.items()}}
        return {name: score for name, score in scores.items() if math.isfinite(score)}

    def test(self, method: str) -> Spread:
        """Return the score of a method on the whole test split, over seeds."""
        if method in self.stages:
            return self.stages[method]
        return Spread.of([self.baselines[method]] if method in self.baselines else ())

    @property
    def best(self) -> set[str]:
        """Methods with the highest score, all that tie in the digits shown; one alone is none."""
        if len(self.means) < 2:
            return set()
        top = max(round(score, DECIMALS) for score in self.means.values())
        return {name for name, score in self.means.items() if round(score, DECIMALS) == top}

    @property
    def best_baseline(self) -> str | None:
        """The baseline to beat, the first of those that tie."""
        present = [name for name in self.baselines if name in self.means]
        return max(present, key=self.means.__getitem__, default=None)

    def beats(self, method: str, other: str | None) -> bool:
        """Whether a method scores higher than another one, in the digits shown."""
        ours, theirs = (self.means.get(name or "", math.nan) for name in (method, other))
        return round(ours, DECIMALS) > round(theirs, DECIMALS)

    def difference(self, method: str, other: str | None) -> float:
        """Return mean score of a method minus that of another, NaN where one is not there."""
        return self.means.get(method, math.nan) - self.means.get(other or "", math.nan)


def several_models(scores: list[Score]) -> bool:
    """Whether a benchmark must be told from itself by its model."""
    return len({score.model for score in scores if score.model}) > 1


def stages_in_use(scores: list[Score]) -> list[str]:
    """Return the ways of training that any benchmark has; a run need not want all of them."""
    return [stage for stage in STAGES if any(stage in score.stages for score in scores)]


def baselines_in_use(scores: list[Score]) -> list[str]:
    """Return the trivial methods that any benchmark has; a look-up needs coordinates."""
    return [name for name in BASELINES if any(name in score.means for score in scores)]


def summarise(results: Results) -> list[Score]:
    """Gather the runs on each benchmark, one score a (benchmark, model)."""
    baselines = {run.subject: run for run in results.of("baselines")}
    trained: dict[tuple[str, str], list[Run]] = {}
    for run in results.of(*STAGES):
        trained.setdefault((run.subject, run.model), []).append(run)
    alone = [(benchmark, "") for benchmark in baselines.keys() - {name for name, _ in trained}]
    return [
        _score(*key, trained.get(key, []), baselines.get(key[0]))
        for key in sorted([*trained, *alone])
    ]


def _score(benchmark: str, model: str, trained: list[Run], baseline: Run | None) -> Score:
    runs = (*trained, *([baseline] if baseline else []))
    metric = headline_metric(runs)
    by_stage = {stage: [run for run in trained if run.stage == stage] for stage in STAGES}
    return Score(
        benchmark=benchmark,
        model=model,
        metric=metric,
        info=next((run.info for run in runs if run.info.counts), RunInfo()),
        baselines=baseline_scores(baseline, metric),
        stages={
            stage: Spread.of(run.metrics.last("test", metric) for run in of)
            for stage, of in by_stage.items()
            if of
        },
        runs=runs,
        clean=_clean(by_stage, baseline, metric),
    )


def baseline_scores(baseline: Run | None, metric: str) -> dict[str, float]:
    """Return the test score of each trivial method, NaN of those that were not measured."""
    if baseline is None:
        return {}
    return {name: baseline.metrics.last("test", f"{name}.{metric}") for name in BASELINES}


def _clean(by_stage: dict[str, list[Run]], baseline: Run | None, metric: str) -> dict[str, Spread]:
    """Return the scores on split test_clean by method, baselines first."""
    methods = {method: ([baseline], f"{method}.{metric}") for method in BASELINES if baseline}
    methods |= {stage: (runs, metric) for stage, runs in by_stage.items()}
    return {
        method: Spread.of(run.metrics.last("test_clean", name) for run in runs)
        for method, (runs, name) in methods.items()
        if any(name in run.metrics.names("test_clean") for run in runs)
    }


def measure_of(name: str) -> str:
    """Return the measure of a metric, without the baseline that heads it."""
    method, _, measure = name.partition(".")
    return measure if method in BASELINES else name


def headline_metric(runs: Iterable[Run]) -> str:
    """Return the metric that the runs name, or else the first usual one that they measured."""
    named = [run.info.metric for run in runs if run.info.metric]
    measured = {measure_of(name) for run in runs for name in run.metrics.names("test")}
    return next(iter(named), next((name for name in METRICS if name in measured), "accuracy"))


def markov(run: Run, split: str) -> dict[int, float]:
    """Return the perplexity of the Markov chains beside a pretraining run, by their order."""
    found = {
        name.removesuffix(".perplexity").removeprefix("markov"): run.metrics.last(split, name)
        for name in run.metrics.names(split)
        if name.startswith("markov") and name.endswith(".perplexity")
    }
    return {
        int(order): found[order]
        for order in sorted(found, key=lambda order: (len(order), order))
        if is_count(order) and math.isfinite(found[order]) and found[order] > 0
    }
