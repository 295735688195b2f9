"""What a run of the workflow will take, told before it starts: jobs, GPU-hours and disk by rule.

Nothing is guessed. What is expected is what finished jobs of the same kind took and wrote, on
average; what at most is what jobs may run before they are stopped; the rest is said to be unknown.
"""

import glob
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

# Wildcards in which jobs of the same kind may differ: first repeats, then all of a rule and model.
_FREE = (
    {"seed", "run"},
    {"seed", "run", "benchmark", "label", "tuned", "shots"},
)
_GB = 10**9


@dataclass(frozen=True)
class PlannedJob:
    """A job that is to run. Patterns of files have their wildcards in braces."""

    rule: str
    wildcards: Mapping[str, str]
    gpus: int
    minutes: float
    """It may run this long; NaN if there is no limit."""
    benchmark: str
    """Pattern of the files in which Snakemake notes what jobs took; may be empty."""
    outputs: Mapping[str, str]
    """Path and pattern of each file that it writes."""

    @property
    def name(self) -> str:
        """The rule, with the stage where it has several."""
        stage = self.wildcards.get("stage")
        return f"{self.rule} ({stage})" if stage else self.rule


@dataclass
class Amount:
    """A sum over jobs, of those for which it is known."""

    total: float = 0.0
    known: int = 0
    jobs: int = 0

    def add(self, value: float) -> None:
        """Add what one job takes, NaN if that is unknown."""
        self.jobs += 1
        if math.isfinite(value):
            self.total += value
            self.known += 1

    def merge(self, other: "Amount") -> None:
        """Add what other jobs take."""
        self.total += other.total
        self.known += other.known
        self.jobs += other.jobs

    def __str__(self) -> str:
        if not self.jobs:
            return ""
        if not self.known:
            return "unknown"
        of = "" if self.known == self.jobs else f" ({self.known:,} of {self.jobs:,})"
        return f"{self.total:,.1f}{of}"


@dataclass
class Row:
    """What the jobs of a rule take."""

    jobs: int = 0
    expected: Amount = field(default_factory=Amount)
    """GPU-hours, as `at_most`; both of the jobs that use a GPU alone."""
    at_most: Amount = field(default_factory=Amount)
    written: Amount = field(default_factory=Amount)
    """GB."""

    def cells(self) -> list[str]:
        """Return the row as it is printed."""
        return [f"{self.jobs:,}", *map(str, (self.expected, self.at_most, self.written))]

    def merge(self, other: "Row") -> None:
        """Add another row to this one."""
        self.jobs += other.jobs
        self.expected.merge(other.expected)
        self.at_most.merge(other.at_most)
        self.written.merge(other.written)


class Finished:
    """What finished jobs took and wrote, by their files below a folder."""

    def __init__(self, folder: Path, sizes: Mapping[str, int]) -> None:
        """Take the bytes of files that are known beforehand, by path."""
        self.folder = folder
        self.sizes = sizes
        self._means: dict[tuple[str, bool], float] = {}

    def seconds(self, job: PlannedJob) -> float:
        """Return the mean of jobs of the same kind, NaN where there are none."""
        return self._first(job.benchmark, job.wildcards, timed=True)

    def size(self, job: PlannedJob) -> float:
        """Return the bytes that a job is expected to write, NaN if not known of each file."""
        return math.fsum(
            self.sizes[path] if path in self.sizes else self._first(pattern, job.wildcards)
            for path, pattern in job.outputs.items()
        )

    def _first(self, pattern: str, wildcards: Mapping[str, str], *, timed: bool = False) -> float:
        """Return the mean over the files of the narrowest kind of which there are any."""
        for narrow in _patterns(pattern, wildcards) if pattern else ():
            if (narrow, timed) not in self._means:
                found = self.folder.glob(narrow)
                values = [of for path in found for of in (_seconds(path) if timed else _size(path))]
                mean = math.fsum(values) / len(values) if values else math.nan
                self._means[narrow, timed] = mean
            if math.isfinite(self._means[narrow, timed]):
                return self._means[narrow, timed]
        return math.nan


@dataclass(frozen=True)
class Forecast:
    """What all jobs of a run take."""

    rows: Mapping[str, Row]
    """By rule."""
    gpu_hours: float
    """Of all jobs: as expected where that is known, else at most."""

    @classmethod
    def of(cls, jobs: Iterable[PlannedJob], finished: Finished) -> "Forecast":
        """Add up jobs."""
        rows: dict[str, Row] = {}
        gpu_hours = 0.0
        for job in jobs:
            row = rows.setdefault(job.name, Row())
            row.jobs += 1
            row.written.add(finished.size(job) / _GB)
            if job.gpus:
                expected = finished.seconds(job) * job.gpus / 3600
                at_most = job.minutes * job.gpus / 60
                row.expected.add(expected)
                row.at_most.add(at_most)
                gpu_hours += expected if math.isfinite(expected) else at_most
        return cls(rows, gpu_hours)

    def table(self, free: int) -> str:
        """Return the forecast as text, with the bytes that are free where it is written."""
        if not self.rows:
            return "Nothing to do: every result is there."
        total = Row()
        for row in self.rows.values():
            total.merge(row)
        header = ["rule", "jobs", "GPU-hours expected", "at most", "GB written"]
        costliest = sorted(self.rows.items(), key=lambda item: (-item[1].at_most.total, item[0]))
        lines = [header, *([name, *row.cells()] for name, row in costliest)]
        lines.append(["all", *total.cells()])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
            for line in lines
        ]
        text.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([*text, _explanation(total, free)])


def _explanation(total: Row, free: int) -> str:
    said = [f"{free / _GB:,.0f} GB are free here."]
    if total.at_most.jobs:
        seen = total.expected.known
        said += [
            "Expected: the mean of finished jobs of the same rule and model, "
            f"which there are for {seen:,} of {total.at_most.jobs:,} jobs on a GPU.",
            "At most: the time that each job may run, once, times its GPUs.",
        ]
    return "\n".join(said)


def _patterns(pattern: str, wildcards: Mapping[str, str]) -> Iterator[str]:
    """Yield patterns of `glob`: of files that differ in nothing, or in free wildcards alone."""
    for free in _FREE:
        # Names of wildcards are at the odd places.
        parts = [
            ("*" if part in free else glob.escape(wildcards[part]))
            if place % 2
            else glob.escape(part)
            for place, part in enumerate(re.split(r"\{(\w+)\}", pattern))
        ]
        # Two free ones side by side would be `**`, which is for folders.
        yield re.sub(r"\*+", "*", "".join(parts))


def _seconds(path: Path) -> list[float]:
    """Return the seconds of each execution that a benchmark file of Snakemake notes."""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    cells = (line.partition("\t")[0] for line in lines)
    # Snakemake writes NA or - for what it could not measure.
    return [float(cell) for cell in cells if re.fullmatch(r"[0-9.]+", cell)]


def _size(path: Path) -> list[int]:
    """Return the bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [of for of in path.rglob("*") if of.is_file()]
    return [sum(file.stat().st_size for file in files)]
