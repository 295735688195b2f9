"""One run of a bench: its options, its device, and the rows that it has measured so far."""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from hyenadna import __version__, source
from hyenadna.bench.machine import device_name, installed_version
from hyenadna.bench.results import (
    Row,
    does_not_run,
    slopes,
    write_measurements,
    write_run,
)
from hyenadna.bench.timing import (
    Call,
    Effort,
    Result,
    Stopwatch,
    Timing,
    failure,
    relative_error,
    time_in_rounds,
)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Above the rounding of results of a type, and of TF32 in fp32: such a result is another operation.
TOLERANCE = {"fp32": 1e-4, "bf16": 2e-2, "fp16": 4e-3}


@dataclass(frozen=True)
class Options:
    """What to measure and how long."""

    device: torch.device
    dtype: str | None = None
    """A key of `DTYPES`; None for bf16 on a GPU, fp32 on a CPU."""
    batch: int = 1
    channels: Sequence[int] = (128, 256)
    lengths: Sequence[int] = ()
    effort: Effort = field(default_factory=Effort)
    threads: int | None = None
    """Of a CPU; None leaves PyTorch's choice."""
    limit: float = 30.0
    """Longest call of attention, in seconds."""
    against: Sequence[str] = ()
    """Names of what is timed, in the terms of each bench; none given means all."""
    out: Path | None = None
    command: Sequence[str] = ()


@dataclass(frozen=True)
class Case:
    """One shape in one dtype."""

    device: torch.device
    dtype: str
    batch: int
    channels: int
    length: int


def default_dtype(device: torch.device) -> str:
    """Return the type of activations that a device is measured in unless told."""
    return "bf16" if device.type == "cuda" else "fp32"


class Session:
    """Measures on one device, tells of each measurement, and keeps the files up to date."""

    def __init__(self, options: Options, tell: Callable[[str], None]) -> None:
        self.options = options
        self.rows: list[Row] = []
        self._told: set[tuple[str, str, str]] = set()
        self._tell = tell
        self._began = time.monotonic()
        self._date = datetime.now(UTC).isoformat(timespec="seconds")
        _prepare(options)
        if options.out:  # That of an earlier run would not be about these rows.
            (options.out / "run.json").unlink(missing_ok=True)
        self.watch = Stopwatch(options.device)
        self.copy = self.watch.copy_bytes_per_second()
        where = f"{device_name(options.device)}, {torch.get_num_threads()} CPU threads"
        tell(f"{where}, torch {torch.__version__}, copies {self.copy / 1e9:.1f} GB/s")

    def cases(self) -> list[Case]:
        """Return the shapes to measure, short ones first."""
        o = self.options
        dtype = o.dtype or default_dtype(o.device)
        return [
            Case(o.device, dtype, o.batch, channels, length)
            for length in sorted(set(o.lengths))
            for channels in o.channels
        ]

    def measure(
        self,
        rows: Mapping[str, Row],
        calls: Mapping[str, Call],
        *,
        plain: str,
        check_against: str | None = None,
    ) -> list[Row]:
        """Time calls in turns and record a row for each.

        Args:
            rows: What is known of the row of each call before.
            calls: By name.
            plain: The one that ratios are taken to.
            check_against: The one, first among the calls, that the others must agree with, where
                it runs itself.
        """
        accept = _agreement(check_against, next(iter(rows.values())).dtype)
        timings = time_in_rounds(calls, self.watch, self.options.effort, accept=accept)
        of_plain = timings.get(plain)
        return self.record([self._filled(rows[x], timings[x], of_plain) for x in calls])

    def refuse(self, rows: Iterable[Row], error: Exception) -> list[Row]:
        """Record that nothing could be timed: there is no room for the inputs, for example."""
        status = failure(error)
        return self.record([replace(row, status=status) for row in rows])

    def record(self, rows: list[Row]) -> list[Row]:
        """Write the table with more rows, and tell of them; of each reason for none only once."""
        self.rows += rows
        if self.options.out:
            write_measurements(self.rows, self.options.out)
        for row in rows:
            reason = (row.implementation, row.direction, row.status)
            if not row.status or reason not in self._told:
                self._tell(row.line())
            self._told.add(reason)
        return rows

    def finish(self) -> None:
        """Tell of the slopes, and write run.json."""
        fitted = slopes(self.rows)
        for slope in fitted:
            self._tell(slope.line())
        if self.options.out:
            write_run(self._about(), fitted, self.options.out)
            self._tell(str(self.options.out))

    def _filled(self, row: Row, timing: Timing, plain: Timing | None) -> Row:
        row = replace(row, copy_bytes_per_second=self.copy)
        if timing.status:
            return replace(row, status=timing.status)
        low, median, high = timing.quartiles()
        bound = row.minimal_bytes / self.copy if row.minimal_bytes else None
        ratio = None
        if plain is not None and not plain.status:
            ratio = statistics.median(plain.seconds) / median
        return replace(
            row,
            repeats=len(timing.seconds),
            median_seconds=median,
            low_seconds=low,
            high_seconds=high,
            peak_bytes=timing.peak_bytes,
            fraction_of_bound=bound / median if bound else None,
            ratio_to_plain=ratio,
        )

    def _about(self) -> dict[str, object]:
        device = self.options.device
        return {
            "version": __version__,
            "commit": source.commit(),
            "command": list(self.options.command),
            "device": device_name(device),
            "device_kind": device.type,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "triton": installed_version("triton"),
            "cuda": torch.version.cuda,
            "date": self._date,
            "seconds": round(time.monotonic() - self._began, 3),
            "copy_bytes_per_second": self.copy,
        }


def _prepare(options: Options) -> None:
    """Bring threads, device and memory into the state that the options ask for."""
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.device.type == "cuda":
        torch.cuda.set_device(options.device.index or 0)
    else:
        _refuse_more_memory_than_there_is()


def _refuse_more_memory_than_there_is() -> None:
    """Let an allocation fail that would not fit, where Linux would end the process later on."""
    if sys.platform != "linux":
        return
    held = _kilobytes(Path("/proc/self/status"), "VmData:")
    free = _kilobytes(Path("/proc/meminfo"), "MemAvailable:")
    if held and free:
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (1024 * (held + free * 9 // 10), most))


def _kilobytes(file: Path, key: str) -> int:
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    return 0


def _agreement(name: str | None, dtype: str) -> Callable[[str, Result], str]:
    """Return a check of results against that of the call `name`, which is the first to come."""
    expected: list[Result] = []

    def accept(of: str, result: Result) -> str:
        if name is None:
            return ""
        sample = tuple(_sample(x) for x in result)
        if of == name:
            expected.append(sample)
        if not expected:
            return ""
        error = relative_error(sample, expected[0])
        if error <= TOLERANCE[dtype]:
            return ""
        return does_not_run(f"wrong result, relative error {error:.1e} against {name}")

    return accept


def _sample(x: torch.Tensor) -> torch.Tensor:
    """Take sixteen channels or so of (B, D, L), (D, K) or (D,), as a copy."""
    channels = x.detach().movedim(1 if x.ndim == 3 else 0, 0)
    return channels[:: max(1, len(channels) // 16)].clone()
