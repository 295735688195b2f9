"""Confidence intervals of scores and of their differences. S seeds, R resamples of the items.

A score varies with the test items that happened to be drawn and with the seed of the training. The
first is known from resamples of the items, the second from the values of several seeds. Two methods
that were scored on the same items are subtracted resample by resample.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hyenadna.report.inputs.results import Results, Run
from hyenadna.report.scores import BASELINES, Score

Floats = NDArray[np.float64]

LEVEL = 0.95
"""Of the confidence intervals."""

FEWEST_RESAMPLES = 50
"""Below which their variance says too little."""

_NORMAL = 1e9
"""Degrees of freedom at which Student's t is the normal distribution in all digits shown."""


@dataclass(frozen=True)
class Interval:
    """A score or a difference of two, and where it may lie; NaN where that is not known."""

    value: float
    low: float = math.nan
    high: float = math.nan
    covers: str = ""
    """What the bounds allow for: items and seeds, items, or seeds; empty where there are none."""

    @property
    def is_known(self) -> bool:
        """Whether there are bounds."""
        return math.isfinite(self.low)

    @property
    def excludes_zero(self) -> bool:
        """Whether it is known, and all above or all below zero."""
        return self.low > 0 or self.high < 0


UNKNOWN = Interval(math.nan)


@dataclass(frozen=True, eq=False)
class Sample:
    """One score as it was measured."""

    values: tuple[float, ...]
    """The finite ones, one a seed."""
    resampled: Floats = field(default_factory=lambda: np.empty((0, 0)))
    """(S, R): each under the same resamples of the items, R is 0 where there are none."""
    items: str = ""
    """Digest of the items, empty where it is not known."""
    has_seeds: bool = True
    """Whether another seed would give another value, which it does not for a baseline."""

    @property
    def mean(self) -> float:
        """Mean over seeds, NaN without any."""
        return math.fsum(self.values) / len(self.values) if self.values else math.nan

    @property
    def seeds_variance(self) -> float:
        """Variance of the mean because of seeds, NaN where one seed does not tell."""
        if not self.has_seeds:
            return 0.0
        n = len(self.values)
        return float(np.var(self.values, ddof=1)) / n if n > 1 else math.nan

    @property
    def counted_twice(self) -> float:
        """The part of the variance over items that seeds show too.

        Which items a seed gets wrong is partly its own: over resamples the mean of S seeds varies
        with 1 / S of that, and so do the values of the seeds.
        """
        if len(self.resampled) < 2:
            return 0.0
        whole = self.resampled[:, np.isfinite(self.resampled).all(axis=0)]
        alone = np.var(whole, axis=1, ddof=1).mean()
        of_mean = np.var(whole.mean(axis=0), ddof=1)
        return float((alone - of_mean) / (len(whole) - 1))


def difference(
    results: Results, score: Score, method: str, other: str | None, *, clean: bool = False
) -> Interval:
    """Return by how much a way of training or a baseline scores above another one.

    Args:
        results: of which `score` is.
        score: the benchmark and model.
        method, other: a stage or a baseline each.
        clean: of the items that are not leaked.
    """
    if other is None:
        return UNKNOWN
    if other == method:
        return Interval(score.difference(method, other))
    return between(*(_sample(results, score, name, clean=clean) for name in (method, other)))


def against(results: Results, score: Score, method: str, published: float) -> Interval:
    """Return by how much a method scores above a fixed number."""
    of = level(results, score, method)
    return Interval(of.value - published, of.low - published, of.high - published, of.covers)


def level(results: Results, score: Score, method: str, *, clean: bool = False) -> Interval:
    """Return what a method scores."""
    return of_one(_sample(results, score, method, clean=clean))


def of_one(of: Sample) -> Interval:
    """Return the mean of a sample."""
    return _combined(of.mean, [of], _variance([of.resampled]))


def between(one: Sample, other: Sample) -> Interval:
    """Return the mean of one sample minus that of another.

    Samples of the same items are subtracted resample by resample; others are independent.
    """
    value = one.mean - other.mean
    if one.items and one.items == other.items:
        return _combined(value, [one, other], _variance([one.resampled, other.resampled]))
    apart = _variance([one.resampled]) + _variance([other.resampled])
    return _combined(value, [one, other], apart)


def _variance(resampled: Sequence[Floats]) -> float:
    """Return the variance over resamples of the mean over seeds, or of the difference of two."""
    means = [of.mean(axis=0) for of in resampled if of.size]
    if len(means) < len(resampled):
        return math.nan
    shared = min(map(len, means))
    first, *others = (of[:shared] for of in means)
    over = first - others[0] if others else first
    over = over[np.isfinite(over)]
    return float(np.var(over, ddof=1)) if len(over) >= FEWEST_RESAMPLES else math.nan


def _combined(value: float, sides: Sequence[Sample], of_items: float) -> Interval:
    """Return the interval by Student's t, with Satterthwaite's degrees of freedom."""
    # scipy takes its time to import, and a page without scores does not need it.
    from scipy.special import stdtrit

    of_seeds = [side.seeds_variance for side in sides]
    known = {
        "items": math.isfinite(of_items),
        "seeds": any(of.has_seeds for of in sides) and all(map(math.isfinite, of_seeds)),
    }
    if not known["seeds"]:
        of_seeds = [0.0] * len(sides)
    total = sum(of_seeds)
    if known["items"]:
        twice = sum(side.counted_twice for side in sides) if known["seeds"] else 0.0
        # Never less than items alone say: few seeds may lie close by chance.
        total = max(of_items, total + of_items - twice)
    if not total > 0 or not math.isfinite(value):
        return Interval(value)
    half = float(stdtrit(_freedom(total, sides, of_seeds), (1 + LEVEL) / 2)) * math.sqrt(total)
    covers = " and ".join(name for name, is_known in known.items() if is_known)
    return Interval(value, value - half, value + half, covers)


def _freedom(total: float, sides: Sequence[Sample], of_seeds: Sequence[float]) -> float:
    """Return the degrees of freedom of a variance, of which parts are known from few seeds."""
    parts = [
        (variance, len(side.values) - 1)
        for side, variance in zip(sides, of_seeds, strict=True)
        if variance
    ]
    if not parts:
        return _NORMAL
    satterthwaite = total**2 / sum(variance**2 / of_part for variance, of_part in parts)
    # What is taken off because it would count twice must not leave fewer than the seeds have.
    return min(max(satterthwaite, min(of_part for _, of_part in parts)), _NORMAL)


def _sample(results: Results, score: Score, method: str, *, clean: bool) -> Sample:
    """Return what the runs of a method have measured of the headline metric."""
    is_baseline = method in BASELINES
    stage, name = (
        ("baselines", f"{method}.{score.metric}") if is_baseline else (method, score.metric)
    )
    runs = [run for run in score.runs if run.stage == stage]
    return sample(results, runs, "test_clean" if clean else "test", name, has_seeds=not is_baseline)


def sample(
    results: Results, runs: Sequence[Run], split: str, name: str, *, has_seeds: bool
) -> Sample:
    """Gather what several seeds have measured, with its resamples if all of them have them."""
    scored = [run for run in runs if math.isfinite(run.metrics.last(split, name))]
    values = tuple(run.metrics.last(split, name) for run in scored)
    digests = {run.info.bootstrap.items.get(split, "") for run in scored}
    found = [
        of[split, name]
        for of in (results.outcomes.resamples.get(run.path, {}) for run in scored)
        if (split, name) in of
    ]
    # Seeds of different items cannot be averaged resample by resample.
    if len(found) < max(len(scored), 1) or len(digests) > 1 or (digests == {""} and len(found) > 1):
        return Sample(values, has_seeds=has_seeds)
    shared = min(map(len, found))
    return Sample(values, np.stack([of[:shared] for of in found]), digests.pop(), has_seeds)
