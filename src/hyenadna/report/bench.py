"""Measured costs of operations: what can be compared with what."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from hyenadna.report import formats
from hyenadna.report.inputs.results import BenchRun, Measurement, Results, Slope

FORWARD, BOTH = "forward", "forward+backward"
DIRECTIONS = {BOTH: "forward and backward", FORWARD: "forward"}
CONVOLUTION, ATTENTION, MODEL = "long_conv", "attention", "model"
TITLES = {CONVOLUTION: "long convolution", ATTENTION: "attention", MODEL: "a training step"}
OURS, PLAIN, TRANSFORMER = "hyenadna", "torch.fft", "Transformer"

PUBLISHED = (
    "As published, by another protocol and on another machine, and therefore beside the "
    "measurements and not among them: at 1M nucleotides HyenaDNA takes 160 times less time than a "
    "Transformer with the FlashAttention of 2023 (arXiv:2306.15794, Figure 4.1). That compares "
    "whole networks of 2 layers and 128 channels, forward and backward with gradient "
    "checkpointing, one sequence at a time, on an NVIDIA A100 of 80 GB."
)


@dataclass(frozen=True)
class Setting:
    """What must be the same for two times to be comparable."""

    device: str
    threads: int | None
    dtype: str
    batch: int
    channels: int
    of_network: bool = False
    """Whether a whole network was timed, and not one operation."""

    @property
    def shape(self) -> str:
        """The sizes in words."""
        return f"batch {self.batch}, {formats.plural(self.channels, 'channel')}, {self.dtype}"

    @property
    def machine(self) -> str:
        """The device in words."""
        threads = f"{formats.plural(self.threads, 'thread')}" if self.threads else ""
        return ", ".join(filter(None, (self.device or "an unnamed device", threads)))


@dataclass(frozen=True)
class Series:
    """One implementation in one direction, by length."""

    operation: str
    implementation: str
    direction: str
    points: dict[int, Measurement]
    slope: Slope | None

    @property
    def key(self) -> tuple[str, str, str]:
        """What was measured."""
        return self.operation, self.implementation, self.direction

    @property
    def timed(self) -> list[Measurement]:
        """The lengths that have a time."""
        return [point for point in self.points.values() if not point.status]


@dataclass(frozen=True)
class Comparison:
    """All that was measured in one setting."""

    setting: Setting
    runs: list[BenchRun]
    series: list[Series]
    """Each implementation as the run on its operation has it."""
    repeated: list[Series]
    """What another run measured once more, to have it beside its own operation."""

    def get(self, operation: str, implementation: str, direction: str) -> dict[int, Measurement]:
        """Return the measurements of an implementation by length, empty if it was not measured."""
        wanted = (operation, implementation, direction)
        return next((of.points for of in self.series if of.key == wanted), {})

    def beside_attention(self, direction: str) -> dict[int, Measurement]:
        """Return the convolution by length, as measured in turns with attention where it was."""
        ours = (CONVOLUTION, OURS, direction)
        again = next((of.points for of in self.repeated if of.key == ours), {})
        return self.get(*ours) | again

    def implementations(self, *operations: str) -> list[tuple[str, str]]:
        """Return (operation, implementation) of what was measured, ours first in an operation."""
        found = dict.fromkeys((of.operation, of.implementation) for of in self.series)
        return [of for of in found if not operations or of[0] in operations]

    @property
    def files(self) -> tuple[str, ...]:
        """What it is read from."""
        return tuple(path for run in self.runs for path in (run.measurements_file, run.info_file))

    @property
    def versions(self) -> str:
        """The software in words."""
        return ", ".join(
            f"{name} {version}"
            for name, version in dict.fromkeys(of for run in self.runs for of in run.info.software)
        )


def comparisons(runs: list[BenchRun]) -> list[Comparison]:
    """Group measurements by setting, in the order of the runs."""
    by_setting: dict[Setting, list[BenchRun]] = {}
    for run in ordered(runs):
        for setting in dict.fromkeys(_setting(run, of) for of in run.measurements):
            by_setting.setdefault(setting, []).append(run)
    return [_comparison(setting, of) for setting, of in by_setting.items()]


def ordered(runs: list[BenchRun]) -> list[BenchRun]:
    """Put the convolution before attention and whole networks, and these before others."""
    return sorted(runs, key=lambda run: _rank(run.operation))


def _comparison(setting: Setting, runs: list[BenchRun]) -> Comparison:
    """Take each series from the run on its operation, or else from the first that has it."""
    chosen: dict[tuple[str, str, str], Series] = {}
    repeated = []
    of_all = [(run, series) for run in runs for series in _of_run(setting, run)]
    for _, series in sorted(of_all, key=lambda of: of[0].operation != of[1].operation):
        if series.key in chosen:
            repeated.append(series)
        else:
            chosen[series.key] = series
    # Ours first; sorting keeps the order of the others.
    shown = sorted(
        chosen.values(),
        key=lambda of: (_rank(of.operation), of.operation, of.implementation != OURS),
    )
    return Comparison(setting, runs, shown, repeated)


def _of_run(setting: Setting, run: BenchRun) -> Iterator[Series]:
    points: dict[tuple[str, str, str], dict[int, Measurement]] = {}
    for of in sorted(run.measurements, key=lambda of: of.length):
        if _setting(run, of) == setting:
            key = (of.operation, of.implementation, of.direction)
            points.setdefault(key, {})[of.length] = of
    for key, by_length in points.items():
        yield Series(*key, points=by_length, slope=_slope(setting, run, key))


def _slope(setting: Setting, run: BenchRun, key: tuple[str, str, str]) -> Slope | None:
    wanted = (*key, setting.dtype, setting.batch, setting.channels)
    return next(
        (
            of
            for of in run.info.slopes
            if (
                of.operation, of.implementation, of.direction, of.dtype, of.batch, of.channels
            ) == wanted and math.isfinite(of.slope)
        ),
        None,
    )  # fmt: skip


def _setting(run: BenchRun, of: Measurement) -> Setting:
    shape = (of.dtype, of.batch, of.channels)
    return Setting(run.info.device, run.info.threads, *shape, of_network=of.operation == MODEL)


def _rank(operation: str) -> int:
    return [*TITLES, operation].index(operation)


def unmeasured(results: Results) -> list[str]:
    """Return the operations that have no measurements."""
    measured = {run.operation for run in results.bench if run.measurements}
    return [operation for operation in TITLES if operation not in measured]
