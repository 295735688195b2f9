"""The tables of what operations cost by length."""

import math
from dataclasses import replace

from hyenadna.report import formats
from hyenadna.report.bench import (
    ATTENTION,
    BOTH,
    CONVOLUTION,
    FORWARD,
    MODEL,
    OURS,
    TITLES,
    TRANSFORMER,
    Comparison,
)
from hyenadna.report.inputs.results import Measurement
from hyenadna.report.tables.cells import Cell, Column, Table, memory, number, texts

REASON = 48
"""Letters of a reason that are shown; the rest is in the file that a table names."""

DIRECTIONS = ("Forward", "Both")

Pair = tuple[Measurement | None, Measurement | None]
"""Forward, and forward with backward."""


def costs(comparison: Comparison) -> Table:
    """Show every implementation at every length, forward and with backward."""
    if comparison.setting.of_network:
        return training_steps(comparison)
    with_memory = any(of.peak_bytes >= 0 for series in comparison.series for of in series.timed)
    return Table(
        name="cost-by-length",
        title=f"Cost by length: {comparison.setting.shape}",
        caption=f"On {comparison.setting.machine}; {comparison.versions}. Median time of one call, "
        "quartiles below it; both is forward and backward together. Against torch.fft: how many "
        "times as fast as that plain formula, timed in turns with it. Of byte bound: the time that "
        "reading the inputs and writing the outputs once takes at the speed of a copy, as a share "
        "of the median." + (" Memory is what a call takes beyond these." if with_memory else ""),
        columns=[
            Column("Length", kind="text"),
            *texts("Implementation", "Path"),
            *(
                Column(f"{direction}{what}")
                for direction in DIRECTIONS
                for what in ("", " against torch.fft", " of byte bound")
            ),
            *([Column("Memory")] if with_memory else []),
        ],
        rows=_rows(comparison, with_memory=with_memory),
        sources=tuple(run.measurements_file for run in comparison.runs),
    )


def _rows(comparison: Comparison, *, with_memory: bool) -> list[list[Cell]]:
    timed, absent = [], []
    for operation, implementation in comparison.implementations():
        forward, both = (
            comparison.get(operation, implementation, direction) for direction in (FORWARD, BOTH)
        )
        name = Cell(implementation, note=TITLES.get(operation, operation))
        points = [*forward.values(), *both.values()]
        if {of.status for of in points} == {points[0].status} and points[0].status:
            one: Pair = next(iter(forward.values()), None), next(iter(both.values()), None)
            absent.append([Cell("all"), name, *_cells(one, with_memory=with_memory)])
            continue
        for length in sorted({*forward, *both}):
            pair: Pair = forward.get(length), both.get(length)
            cells = [name, *_cells(pair, with_memory=with_memory)]
            timed.append((length, [Cell(formats.count(length), value=length), *cells]))
    return [row for _, row in sorted(timed, key=lambda of: of[0])] + absent


def _cells(pair: Pair, *, with_memory: bool) -> list[Cell]:
    """Return what follows the name of an implementation."""
    paths = dict.fromkeys(of.path for of in pair if of and of.path)
    cells = [Cell(", ".join(paths) or formats.NOTHING)]
    for of in pair:
        compared = of.ratio_to_plain if of and of.operation == CONVOLUTION else math.nan
        bound = of.fraction_of_bound if of else math.nan
        if of and of.status:
            compared = bound = math.nan
        cells += [time(of), number(compared, formats.times), number(bound, formats.percent)]
    peak = max(
        (of.peak_bytes for of in pair if of and not of.status and of.peak_bytes >= 0),
        default=math.nan,
    )
    return cells + ([memory(peak)] if with_memory else [])


def time(of: Measurement | None) -> Cell:
    """Return a median with its quartiles, or why there is none."""
    if of is None:
        return Cell(formats.NOTHING)
    if of.status:
        what, _, reason = of.status.partition(": ")
        return Cell(what, note=formats.shortened(reason, REASON))
    median = number(of.median, formats.timing)
    if not math.isfinite(of.low) or not math.isfinite(of.high):
        return median
    return replace(median, note=formats.timings(of.low, of.high))


def training_steps(comparison: Comparison) -> Table:
    """Show time and memory of each network at every length, and both beside the Transformer's."""
    theirs = comparison.get(MODEL, TRANSFORMER, BOTH)
    rows = [
        (length, [Cell(formats.count(length), value=length), *_of_network(of, theirs.get(length))])
        for _, name in comparison.implementations(MODEL)
        for length, of in comparison.get(MODEL, name, BOTH).items()
    ]
    return Table(
        name="training-step-by-length",
        title=f"A training step by length: {comparison.setting.shape}",
        caption="Two layers, forward and backward with gradient checkpointing, on "
        f"{comparison.setting.machine}; {comparison.versions}. Median time of one step, quartiles "
        "below it; memory is the most that tensors take beyond weights and gradients. The ratios "
        "are how many times as much time and memory the Transformer takes, timed in turns with "
        "the others.",
        columns=[
            Column("Length", kind="text"),
            *texts("Network", "Attention by"),
            *map(Column, ("Time", "Transformer's time", "Memory", "Transformer's memory")),
        ],
        rows=[row for _, row in sorted(rows, key=lambda of: of[0])],
        sources=tuple(run.measurements_file for run in comparison.runs),
    )


def _of_network(of: Measurement, theirs: Measurement | None) -> list[Cell]:
    """Return what follows the length of a network's row."""
    of_time, of_memory = (
        (_known(theirs.median), _known(theirs.peak_bytes)) if theirs else (math.nan, math.nan)
    )
    peak = _known(of.peak_bytes)
    return [
        Cell(of.implementation),
        Cell(of.path or formats.NOTHING),
        time(of),
        number(of_time / of.median, formats.times),
        memory(peak),
        number(of_memory / peak, formats.times),
    ]


def _known(value: float) -> float:
    """Return a time or a size, NaN where there is none."""
    return value if value > 0 else math.nan


def attention(comparison: Comparison) -> Table | None:
    """Show attention beside the long convolution at the lengths where both were measured."""
    names = [implementation for _, implementation in comparison.implementations(ATTENTION)]
    rows = []
    for name in names:
        pairs = [_beside(comparison, name, direction) for direction in (FORWARD, BOTH)]
        for length in sorted({*pairs[0], *pairs[1]}):
            cells = [cell for of in pairs for cell in _compared(of.get(length, (None, None)))]
            shown = [Cell(name)] if len(names) > 1 else []
            rows.append((length, [Cell(formats.count(length), value=length), *shown, *cells]))
    if not rows:
        return None
    by = "" if len(names) > 1 else f", by {names[0]}"
    return Table(
        name="attention-by-length",
        title=f"Attention beside the long convolution: {comparison.setting.shape}",
        caption=f"On {comparison.setting.machine}; medians of one call, attention{by}, convolution "
        f"by {OURS}, in turns with it where one run has both. The ratio is how many times as long "
        "attention takes; both is forward and backward together.",
        columns=[
            Column("Length", kind="text"),
            *(texts("Attention by") if len(names) > 1 else []),
            *(
                Column(f"{direction}: {what}")
                for direction in DIRECTIONS
                for what in ("convolution", "attention", "ratio")
            ),
        ],
        rows=[row for _, row in sorted(rows, key=lambda of: of[0])],
        sources=tuple(run.measurements_file for run in comparison.runs),
    )


def _beside(comparison: Comparison, implementation: str, direction: str) -> dict[int, Pair]:
    """Return (convolution, attention) at the lengths where both were tried."""
    ours = comparison.beside_attention(direction)
    theirs = comparison.get(ATTENTION, implementation, direction)
    return {length: (ours[length], theirs[length]) for length in theirs if length in ours}


def _compared(pair: Pair) -> list[Cell]:
    seconds = [of.median if of else math.nan for of in pair]
    return [*map(time, pair), number(seconds[1] / seconds[0], formats.times)]
