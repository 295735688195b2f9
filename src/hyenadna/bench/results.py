"""What the benches write: measurements.tsv, one row per measurement, and run.json."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from hyenadna.files import write_json, write_text

OUT_OF_MEMORY = "out of memory"
NOT_INSTALLED = "not installed"
BEYOND_LIMIT = "beyond the time limit"

DIRECTIONS = ("forward", "forward+backward")

# From here on, lengths are long enough for time to follow them; below, starting the work counts.
SLOPE_FROM = 1 << 14
REASON_LENGTH = 120


@dataclass(frozen=True)
class Row:
    """One implementation in one setting; numbers are None where a status says why."""

    operation: str
    implementation: str
    path: str
    direction: str
    dtype: str
    batch: int
    channels: int
    length: int
    repeats: int = 0
    median_seconds: float | None = None
    low_seconds: float | None = None
    high_seconds: float | None = None
    peak_bytes: int | None = None
    minimal_bytes: int | None = None
    copy_bytes_per_second: float | None = None
    fraction_of_bound: float | None = None
    ratio_to_plain: float | None = None
    status: str = ""

    def line(self) -> str:
        """Return the row for a reader, in one line."""
        shape = f"{self.batch} x {self.channels} x {self.length:,}"
        setting = f"{self.operation} {self.direction:<16} {self.dtype} {shape:<19}"
        name = f"{self.implementation} ({self.path})" if self.path else self.implementation
        if self.median_seconds is None:
            return f"{setting} {name:<28} {self.status}"
        low, median, high = (
            f"{1e3 * seconds:.4g}"
            for seconds in (self.low_seconds or 0, self.median_seconds, self.high_seconds or 0)
        )
        text = f"{setting} {name:<28} {median:>8} ms ({low} to {high}, {self.repeats} times)"
        if self.minimal_bytes:
            text += f" {self.minimal_bytes / self.median_seconds / 1e9:8.2f} GB/s"
        if self.fraction_of_bound is not None:
            text += f" {self.fraction_of_bound:6.1%} of bound"
        if self.ratio_to_plain is not None:
            text += f" {self.ratio_to_plain:7.2f} x plain"
        if self.peak_bytes is not None:
            text += f" {self.peak_bytes / 2**20:,.0f} MiB beside"
        return text


@dataclass(frozen=True)
class Slope:
    """Exponent b of time ~ length ** b, fitted to the medians of one implementation."""

    operation: str
    implementation: str
    direction: str
    dtype: str
    batch: int
    channels: int
    slope: float
    low_length: int
    high_length: int

    def line(self) -> str:
        """Return the slope for a reader, in one line."""
        return (
            f"{self.operation} by {self.implementation}, {self.direction}, {self.dtype}, "
            f"{self.batch} x {self.channels}: time grows as length ** {self.slope:.2f} "
            f"from {self.low_length:,} to {self.high_length:,}"
        )


def minimal_bytes(inputs: int, outputs: int, direction: str) -> int:
    """Return the bytes that any implementation must move, given those of inputs and outputs.

    Backward, gradients of the outputs and the inputs come in and gradients of the inputs go out.
    """
    forward = inputs + outputs
    return forward if direction == "forward" else forward + outputs + 2 * inputs


def does_not_run(reason: str) -> str:
    """Return the status of an implementation that fails here, short and in one line."""
    reason = " ".join(reason.split())
    short = reason if len(reason) <= REASON_LENGTH else reason[: REASON_LENGTH - 1] + "…"
    return f"does not run here: {short}"


def slopes(rows: Iterable[Row]) -> list[Slope]:
    """Fit log time against log length, over lengths from 2 ** 14 if three or more are there."""
    groups: dict[tuple[str, str, str, str, int, int], list[tuple[int, float]]] = {}
    for row in rows:
        if row.median_seconds is not None:
            what = (row.operation, row.implementation, row.direction)
            key = (*what, row.dtype, row.batch, row.channels)
            groups.setdefault(key, []).append((row.length, row.median_seconds))
    fitted = []
    for key, points in groups.items():
        far = [point for point in points if point[0] >= SLOPE_FROM]
        points = far if len(far) >= 3 else points
        lengths = [length for length, _ in points]
        if len(set(lengths)) > 1:
            fitted.append(Slope(*key, _exponent(points), min(lengths), max(lengths)))
    return fitted


def write_measurements(rows: Sequence[Row], out: Path) -> None:
    """Write out/measurements.tsv as a whole, in one step."""
    names = [field.name for field in fields(Row)]
    lines = ["\t".join(names)]
    lines += ["\t".join(_cell(value) for value in asdict(row).values()) for row in rows]
    write_text(out / "measurements.tsv", "\n".join(lines) + "\n")


def write_run(about: dict[str, Any], fitted: Sequence[Slope], out: Path) -> None:
    """Write out/run.json: what ran where, and the slopes."""
    write_json(out / "run.json", {**about, "slopes": [asdict(slope) for slope in fitted]})


def _exponent(points: Sequence[tuple[int, float]]) -> float:
    lengths, seconds = ([math.log(x) for x in axis] for axis in zip(*points, strict=True))
    return statistics.linear_regression(lengths, seconds).slope


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
