"""What each rule of the workflow cost: its time and its memory, side by side."""

import math
from collections.abc import Callable, Iterator, Mapping

from matplotlib.axes import Axes

from hyenadna.report import formats
from hyenadna.report.costs import Cost, by_rule
from hyenadna.report.figures.drawing import TUNED, Figure, beside, name_rows, rendered, to_tsv
from hyenadna.report.figures.marks import hover
from hyenadna.report.inputs.results import Job

TIME_UNITS = {"hours": 3600, "minutes": 60, "seconds": 1}
MEMORY_UNITS = {"GB": 10**9, "MB": 10**6}


def timings(jobs: list[Job]) -> Iterator[Figure]:
    """Draw the time of all jobs of a rule, and the memory of the largest of them."""
    costs = by_rule(jobs)
    if not costs:
        return
    figure, (left, right) = beside(7.0, 0.7 + 0.27 * len(costs), 2)
    times, peaks = [cost.total for cost in costs], [cost.peak for cost in costs]
    unit = _bars(left, costs, times, formats.duration, TIME_UNITS)
    left.set_xlabel(f"{unit}, all jobs of a rule together")
    unit = _bars(right, costs, peaks, formats.memory, MEMORY_UNITS)
    right.set_xlabel(f"{unit}, the largest job of a rule")
    name_rows(left, [formats.shortened(cost.rule) for cost in costs])
    name_rows(right, [""] * len(costs))
    yield Figure(
        name="timings",
        title="Time and memory by rule",
        caption="As the workflow measured them: wall-clock time summed over the jobs of a rule, "
        "and the most memory that any of them held.",
        description=", ".join(
            f"{of.rule} {formats.duration(of.total)} and {formats.memory(of.peak)}" for of in costs
        )
        + ".",
        drawing=rendered(figure),
        data=to_tsv(
            "rule jobs seconds longest_seconds peak_bytes",
            ((of.rule, of.jobs, of.total, of.longest, of.peak) for of in costs),
        ),
        sources=tuple(dict.fromkeys(job.path for job in jobs)),
    )


def _bars(
    axes: Axes,
    costs: list[Cost],
    values: list[float],
    in_words: Callable[[float], str],
    units: Mapping[str, int],
) -> str:
    """Draw a bar a rule, its value at its end, and return the unit that they are in."""
    known = [value if math.isfinite(value) else 0.0 for value in values]
    unit = next((name for name, of in units.items() if max(known) >= 2 * of), [*units][-1])
    lengths = [value / units[unit] for value in known]
    bars = axes.barh(range(len(costs)), lengths, height=0.62, color=TUNED)
    for row, (bar, cost) in enumerate(zip(bars, costs, strict=True)):
        hover(bar, _in_words(cost))
        axes.annotate(
            in_words(values[row]), (lengths[row], row), xytext=(5, 0), fontsize=8.5,
            textcoords="offset points", va="center_baseline",
        )  # fmt: skip
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.42)  # room for what stands at the end of the longest bar
    return unit


def _in_words(cost: Cost) -> str:
    return "\n".join(
        (
            f"{cost.rule}: {formats.plural(cost.jobs, 'job')}",
            f"{formats.duration(cost.total)} in all, {formats.duration(cost.longest)} the longest",
            f"{formats.memory(cost.peak)} at most",
        )
    )
