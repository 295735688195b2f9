"""Which way a GPU takes through the long convolution (B batch, D channels, L length, K taps).

What was measured on a device is in `paths.tsv`, written by `hyenadna bench long-conv --tune`; for
anything else the rules below hold, from counts of bytes and instructions.
"""

import csv
import logging
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hyenadna.errors import InputError
from hyenadna.files import atomic_write
from hyenadna.ops import long_conv_cpu

TABLE = Path(__file__).with_name("paths.tsv")
# Up to so many positions or taps, the sum itself costs less than transforms.
FEW_POSITIONS, FEW_TAPS = 64, 32
LONGEST_ROW, LONGEST = 4096, 1 << 20
ROWS = (512, 1024, 2048, 4096)
RADICES = (1, 2, 3, 4, 5, 7, 8, 16)
_OLDEST_CAPABILITY = (8, 0)

_log = logging.getLogger(__name__)
_forced: "list[Plan]" = []
_announced: set[str] = set()


@dataclass(frozen=True, slots=True)
class Plan:
    """A path and what it is launched with."""

    path: str
    """`taps`, `one-pass`, `three-pass` or `torch.fft`."""
    row: int = 0
    """Points of the transform in registers: all in one pass, those of a row in three."""
    radix: int = 0
    """Columns of three passes have 16 times as many points."""
    columns: int = 0
    """Columns side by side in a program."""
    rows: int = 0
    """Rows side by side in a program."""
    scratch: int = 0
    """MiB of scratch at a time, as may stay in the L2 cache; 0: only the limit on memory counts."""

    @property
    def points(self) -> int:
        """Longest input that it can convolve, in positions."""
        return self.row * (16 * self.radix or 1)

    def __str__(self) -> str:
        numbers = [f"{f.name} {getattr(self, f.name)}" for f in fields(self)[1:]]
        return " ".join([self.path, *(text for text in numbers if not text.endswith(" 0"))])

    @classmethod
    def parse(cls, text: str) -> "Plan":
        """Read what `str` wrote."""
        path, *_ = text.split()
        return cls(
            path, **{name: int(value) for name, value in re.findall(r"([a-z]+) (\d+)", text)}
        )


@dataclass(frozen=True, slots=True)
class Row:
    """The fastest plan that was measured for one size."""

    device: str
    dtype: str
    channels: int
    batch: int
    length: int
    plan: str
    seconds: float
    """Of forward and backward together."""
    measured_on: str
    """Date, versions of torch and triton."""


def choose(u: Tensor, taps: int) -> Plan:
    """Return the plan for u (B, D, L) and K taps; tells the log of each path once."""
    if _forced:
        return _forced[-1]
    plan, reason = _plan(u.device, u.dtype, u.shape, taps)
    wait = "; its kernels are compiled the first time, for a minute or more" if plan.row else ""
    announce(plan.path, str(plan), reason + wait)
    return plan


@lru_cache(maxsize=4096)
def _plan(
    device: torch.device, dtype: torch.dtype, shape: torch.Size, taps: int
) -> tuple[Plan, str]:
    """Return the plan for u (B, D, L) and K taps, and why."""
    batch, channels, length = shape
    reason = _not_on_kernels(device, dtype, min(taps, length), length)
    if reason:
        return Plan("torch.fft"), reason
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    type_name = str(dtype).removeprefix("torch.")
    return _measured_or_by_rule(name, type_name, batch, channels, length, taps)


def announce(path: str, plan: str, reason: str) -> None:
    """Log a path the first time it is taken."""
    if path not in _announced:
        _announced.add(path)
        _log.info("long convolution: %s (%s)", plan, reason)


def rule(batch: int, channels: int, length: int, taps: int) -> Plan:
    """Return the plan for a size that was not measured."""
    if length <= FEW_POSITIONS or taps <= FEW_TAPS:
        return Plan("taps")
    if length <= LONGEST_ROW:
        return _one_pass(length, 128 if batch * channels >= 1024 else 32)
    fits = [
        (16 * radix * row, -row, radix)
        for row in ROWS
        for radix in RADICES
        if 16 * radix * row >= length
    ]
    _, negative_row, radix = min(fits)
    return _three_pass(-negative_row, radix, 256)


def candidates(length: int, taps: int) -> list[Plan]:
    """Return all plans worth timing for a size."""
    if length <= FEW_POSITIONS or taps <= FEW_TAPS:
        return [Plan("taps")]
    plans = []
    if length <= LONGEST_ROW:
        plans += [_one_pass(length, threads) for threads in (32, 64, 128, 256)]
    for row in ROWS:
        radix = next((r for r in RADICES if 16 * r * row >= length), None)
        if length >= LONGEST_ROW // 2 and radix:
            plans += [_three_pass(row, radix, threads) for threads in (256, 512)]
            plans += [_three_pass(row, radix, 256, scratch=scratch) for scratch in (16, 32)]
    return list(dict.fromkeys([*plans, Plan("torch.fft")]))


def _one_pass(length: int, threads: int) -> Plan:
    row = max(128, 1 << (length - 1).bit_length())
    return Plan("one-pass", row=row, rows=max(1, 16 * threads // row))


def _three_pass(row: int, radix: int, threads: int, scratch: int = 0) -> Plan:
    columns = threads // padded(radix)
    rows = max(1, 2048 // row)
    return Plan("three-pass", row=row, radix=radix, columns=columns, rows=rows, scratch=scratch)


def padded(radix: int) -> int:
    """Return the next power of two: threads that share a column."""
    return 1 << (radix - 1).bit_length()


@contextmanager
def use(plan: Plan) -> Iterator[None]:
    """Take one plan for every call on a GPU, on any thread: gradients have one of their own."""
    _forced.append(plan)
    try:
        yield
    finally:
        _forced.pop()


def explain(device: torch.device) -> list[str]:
    """Return a line for each range of lengths: the plan and where it comes from."""
    if device.type != "cuda":
        start = long_conv_cpu.RIGHT_ANGLE_LENGTH
        return [
            f"long convolution on the CPU: {path} transforms, {where} {start:,} positions"
            for path, where in (("real", "below"), ("right-angle", "from"))
        ]
    lines = []
    for length in (64, 1024, 8192, 32_768, 160_000, 450_000, 1_000_002):
        plan, reason = _plan(device, torch.bfloat16, torch.Size((1, 256, length)), length)
        lines.append(f"long convolution of 256 x {length:,}, bf16: {plan} ({reason})")
    return lines


def read_table(path: Path | None = None) -> list[Row]:
    """Read the measured plans, those of the package unless told otherwise."""
    path = path or TABLE
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [_row(path, record) for record in csv.DictReader(file, delimiter="\t")]


def write_table(rows: Iterable[Row], path: Path | None = None) -> None:
    """Write rows in place of those of the same device and size."""
    path = path or TABLE
    table = {_key(row): row for row in [*read_table(path), *rows]}
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        names = [field.name for field in fields(Row)]
        writer = csv.DictWriter(file, names, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(table[key]) for key in sorted(table))
    _table.cache_clear()
    _plan.cache_clear()


def _key(row: Row) -> tuple[str, str, int, int, int]:
    return row.device, row.dtype, row.channels, row.batch, row.length


def _row(path: Path, record: dict[str, Any]) -> Row:
    try:
        numbers = {name: int(record[name]) for name in ("channels", "batch", "length")}
        row = Row(**record | numbers | {"seconds": float(record["seconds"])})
        Plan.parse(row.plan)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: row {record} is not {', '.join(f.name for f in fields(Row))}; "
            "restore the file or measure again with hyenadna bench long-conv --tune"
        ) from error
    return row


@cache
def _table() -> list[Row]:
    return read_table()


def _measured_or_by_rule(
    device: str, dtype: str, batch: int, channels: int, length: int, taps: int
) -> tuple[Plan, str]:
    """Return the plan of the nearest size measured on this device, or that of the rules."""
    near = [
        (abs(math.log2(length / row.length)), abs(math.log2(batch * channels / size)), row)
        for row in _table()
        if row.device == device and row.dtype == dtype and (size := row.batch * row.channels)
    ]
    fitting = [entry for entry in near if entry[0] < 0.5 and _fits(entry[2].plan, length)]
    if fitting and taps > FEW_TAPS:
        row = min(fitting, key=lambda entry: entry[:2])[2]
        return Plan.parse(row.plan), f"measured at length {row.length:,} on {row.measured_on}"
    return rule(batch, channels, length, taps), "by rule, nothing near was measured on this device"


def _fits(text: str, length: int) -> bool:
    plan = Plan.parse(text)
    return plan.path == "torch.fft" or plan.points >= length


def _not_on_kernels(device: torch.device, dtype: torch.dtype, taps: int, length: int) -> str:
    """Return why the kernels cannot run, empty if they can."""
    if dtype == torch.float64:
        return "the kernels compute in fp32, not in fp64"
    if length > LONGEST and taps > FEW_TAPS:
        return f"longer than {LONGEST:,} positions"
    return _device_lacks(device)


@cache
def _device_lacks(device: torch.device) -> str:
    try:
        import triton  # noqa: F401
    except ImportError:
        return "triton is not installed"
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < _OLDEST_CAPABILITY:
        return "the kernels need compute capability 8.0 or newer"
    return ""
