"""Time and memory of each rule of the workflow."""

import math
from dataclasses import dataclass

from hyenadna.report.inputs.results import Job


@dataclass(frozen=True)
class Cost:
    """All jobs of one rule together; seconds and bytes."""

    rule: str
    jobs: int
    total: float
    longest: float
    peak: float
    """Largest memory of any job, NaN where none was measured."""
    sources: tuple[str, ...]


def by_rule(jobs: list[Job]) -> list[Cost]:
    """Add up jobs, the costliest rule first."""
    of: dict[str, list[Job]] = {}
    for job in jobs:
        of.setdefault(job.rule, []).append(job)
    costs = [_cost(rule, those) for rule, those in of.items()]
    return sorted(costs, key=lambda cost: (-cost.total, cost.rule))


def _cost(rule: str, jobs: list[Job]) -> Cost:
    return Cost(
        rule=rule,
        jobs=len(jobs),
        total=math.fsum(job.seconds for job in jobs),
        longest=max(job.seconds for job in jobs),
        peak=max((of.peak_bytes for of in jobs if math.isfinite(of.peak_bytes)), default=math.nan),
        sources=tuple(dict.fromkeys(job.path for job in jobs)),
    )
