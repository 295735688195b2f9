"""Two results trees number by number: what each has measured, and how far they are apart."""

import math
import re
from dataclasses import dataclass
from functools import cached_property

from hyenadna.report import intervals
from hyenadna.report.formats import TITLES
from hyenadna.report.inputs.results import STAGES, Results, Run
from hyenadna.report.inputs.tree import is_count
from hyenadna.report.intervals import Interval, Sample
from hyenadna.report.scores import BASELINES, Spread, headline_metric
from hyenadna.report.tables import paper_protocol

SPLITS = {"test": "", "test_clean": ", clean", "valid": ", validation"}
"""What a split adds to the name of a measure."""

LOWER_IS_BETTER = ("perplexity", "mse")


@dataclass(frozen=True)
class Quantity:
    """What a number is of; two trees have the same if all of this is."""

    stage: str
    subject: str
    model: str
    method: str
    measure: str

    @property
    def has_seeds(self) -> bool:
        """Whether several values of it are several seeds."""
        return self.stage not in ("baselines", "paper")

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger number is a better one."""
        return not any(word in self.measure.split() for word in LOWER_IS_BETTER)


@dataclass(frozen=True)
class Measured:
    """A quantity as one tree has it."""

    spread: Spread
    sources: tuple[str, ...]
    sample: Sample


@dataclass(frozen=True)
class Difference:
    """A quantity in both trees; a side that lacks it has no value and no file."""

    of: Quantity
    a: Measured
    b: Measured

    @property
    def sides(self) -> tuple[Measured, Measured]:
        """A and B."""
        return self.a, self.b

    @property
    def value(self) -> float:
        """B minus A, NaN where a side is missing."""
        return self.b.spread.mean - self.a.spread.mean

    @cached_property
    def estimate(self) -> Interval:
        """The difference with its interval, unknown where both are the same."""
        if self.is_nil:
            return Interval(self.value)
        return intervals.between(self.b.sample, self.a.sample)

    @property
    def interval(self) -> tuple[float, float]:
        """Confidence interval of the difference, NaN where there is none."""
        return self.estimate.low, self.estimate.high

    @property
    def is_nil(self) -> bool:
        """Whether both trees have the same values."""
        values = sorted(self.a.spread.values)
        return bool(values) and values == sorted(self.b.spread.values)

    @property
    def is_judged(self) -> bool:
        """Whether the interval allows for all that varies: other seeds may differ more."""
        return self.estimate.is_known and ("seeds" in self.estimate.covers or not self.of.has_seeds)

    @property
    def is_beyond_chance(self) -> bool:
        """Whether an interval that allows for all that varies excludes zero."""
        return self.is_judged and self.estimate.excludes_zero

    @property
    def gain(self) -> float:
        """By how much B is better, negative where it is worse."""
        return self.value if self.of.higher_is_better else -self.value

    @property
    def absent(self) -> list[str]:
        """Names of the sides that lack it."""
        return [name for name, side in zip("AB", self.sides, strict=True) if not side.spread.values]

    @property
    def is_compared(self) -> bool:
        """Whether both trees have a number."""
        return math.isfinite(self.value)

    @property
    def verdict(self) -> str:
        """What the difference comes to, in words."""
        if self.absent:
            return f"not in {' and '.join(self.absent)}"
        if self.is_nil:
            return "identical"
        if not self.estimate.is_known:
            return "no interval"
        if not self.is_judged:
            return "too few seeds"
        if not self.is_beyond_chance:
            return "unclear"
        return "B better" if self.gain > 0 else "B worse"


NOT_MEASURED = Measured(Spread(()), (), Sample(()))


def differences(a: Results, b: Results) -> list[Difference]:
    """Pair all that two trees have measured, in the order of the first that has it."""
    of_a, of_b = _gathered(a, "A/"), _gathered(b, "B/")
    return [
        Difference(of, of_a.get(of, NOT_MEASURED), of_b.get(of, NOT_MEASURED))
        for of in sorted(of_a.keys() | of_b.keys(), key=_order)
    ]


def _order(of: Quantity) -> tuple[str, str, int, list[tuple[int, int | str]]]:
    """Put methods in the order of their titles and numbers in their own."""
    titles = list(TITLES.values())
    rank = titles.index(of.method) if of.method in titles else len(titles)
    words = re.split(r"(\d+)", f"{of.method} {of.measure}")
    return of.subject, of.model, rank, [
        (0, int(word)) if is_count(word) else (1, word) for word in words
    ]  # fmt: skip


def _gathered(results: Results, prefix: str) -> dict[Quantity, Measured]:
    """Return the values of each quantity over seeds."""
    repeats: dict[tuple[str, str, str, str], list[Run]] = {}
    for run in results.runs:
        repeats.setdefault((run.stage, run.subject, run.model, run.setting), []).append(run)
    found: dict[Quantity, Measured] = {}
    for runs in repeats.values():
        for of, (split, name) in _quantities(runs).items():
            found[of] = Measured(
                Spread.of(run.metrics.last(split, name) for run in runs),
                tuple(prefix + run.metrics_file for run in runs),
                intervals.sample(results, runs, split, name, has_seeds=of.has_seeds),
            )
    for best in paper_protocol.selected(results):
        method = "Best of the grid, selected on test"
        of = Quantity("paper", best.benchmark, best.model, method, best.metric)
        # Resamples do not show that it is the best of several on the very items that score it.
        sample = Sample((best.score(best.best),), has_seeds=False)
        sources = (prefix + best.best.metrics_file,)
        found[of] = Measured(Spread.of(sample.values), sources, sample)
    return found


def _quantities(runs: list[Run]) -> dict[Quantity, tuple[str, str]]:
    """Return what any of several seeds has measured, with its split and name in the metrics."""
    of, headline = runs[0], re.escape(headline_metric(runs))
    wanted = {
        "pretrain": "(?P<measure>perplexity)",
        "context": r"(?P<method>context\d+)\.(?P<measure>perplexity)",
        "baselines": rf"(?P<method>{'|'.join(BASELINES)})\.(?P<measure>{headline})",
        "biotypes": rf"(?P<method>\w+)\.(?P<measure>{headline})",
        **dict.fromkeys((*STAGES, "in_context"), f"(?P<measure>{headline})"),
    }
    found = {}
    for split, name in dict.fromkeys(key for run in runs for key in run.metrics.series):
        match = re.fullmatch(wanted.get(of.stage, ""), name)
        if match and split in SPLITS and (split != "valid" or of.stage == "pretrain"):
            method = _titled(match.groupdict().get("method", of.setting or of.stage))
            measure = match["measure"] + SPLITS[split]
            found[Quantity(of.stage, of.subject, of.model, method, measure)] = split, name
    return found


def _titled(method: str) -> str:
    """Name a method for humans."""
    length = method.removeprefix("context")
    return f"Context of {int(length):,}" if is_count(length) else TITLES.get(method, method)
