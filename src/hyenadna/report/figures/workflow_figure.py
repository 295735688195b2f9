"""The workflow as it ran: a box a rule, and lines from it to the rules that read what it wrote.

Boxes stand on a staircase in an order in which no rule comes before one that it reads from. So no
line runs through a box, however many there are.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from matplotlib.axes import Axes

from hyenadna.report import formats
from hyenadna.report.figures.drawing import FAINT, INK, SOFT, Figure, new, rendered, to_tsv
from hyenadna.report.figures.marks import hover
from hyenadna.report.inputs.results import MB, BenchRun, Job, Results, Run
from hyenadna.report.rules import MADE, rule_of

TABLE = "rules"
"""Name of the table that has a row for each rule whose runs left a record."""

WIDTH, HEIGHT = 0.47, 0.7
"""Of a box: share of the figure, and of a row."""

MOST_STEP = 0.11
"""How far right of one box the next stands, at most."""


INTERVALS = ("copy_intervals", "split_by_contigs")
"""Rules that write the intervals of a genome; which of them did is known from its jobs."""

UNRECORDED = {
    "prepare_genome": ("download_genome",),
    "tokenize": ("prepare_genome",),
    "split_by_contigs": ("prepare_genome",),
    "chromatin_tables": ("prepare_genome", "download_file"),
    "lift_windows": ("download_file",),
}
"""What rules read that keep no record of it."""


@dataclass
class Rule:
    """What is known of one rule."""

    name: str
    reads: set[str] = field(default_factory=set)
    """Rules whose files its runs read."""
    runs: list[Run | BenchRun] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Time of all jobs that the workflow has measured, or else of the runs; NaN if unknown."""
        known = [job.seconds for job in self.jobs]
        known = known or [run.info.seconds for run in self.runs if isinstance(run, Run)]
        known = [of for of in known if math.isfinite(of)]
        return math.fsum(known) if known else math.nan

    @property
    def peak(self) -> float:
        """The most memory of any job or run, in bytes, NaN if unknown."""
        known = [job.peak_bytes for job in self.jobs]
        known += [run.info.peak_memory_mb * MB for run in self.runs if isinstance(run, Run)]
        return max(filter(math.isfinite, known), default=math.nan)

    @property
    def count(self) -> int:
        """How many jobs the workflow has measured, or else how many runs there are."""
        return len(self.jobs) or len(self.runs)

    @property
    def size(self) -> str:
        """How often it was executed and how long that took."""
        if not self.count:
            return "not measured"
        time = formats.duration(self.seconds) if math.isfinite(self.seconds) else ""
        return ", ".join(filter(None, (formats.plural(self.count, "job"), time)))


def graph(results: Results) -> dict[str, Rule]:
    """Return the rules that left something, those that are read from first."""
    found: dict[str, Rule] = {}
    makers = _Makers(results.jobs)
    for job in results.jobs:
        _of(found, rule_of(job.path)).jobs.append(job)
    for genome in results.genomes:
        _of(found, rule_of(genome.path))
        _of(found, rule_of(f"genomes/{genome.name}/genome.fa"))
    for run in results.recorded:
        _of(found, rule_of(run.info_file)).runs.append(run)
    read = {(rule_of(run.info_file), of.path) for run in results.runs for of in run.info.data}
    for name, path in read:
        _of(found, name).reads.add(makers.of(path))
    for name in {of for one in found.values() for of in one.reads}:
        _of(found, name)
    found.pop("", None)
    for name, one in found.items():
        one.reads |= {of for of in UNRECORDED.get(name, ()) if of in found}
        one.reads -= {"", name}
    return {name: found[name] for name in _ordered(found)}


def _of(found: dict[str, Rule], name: str) -> Rule:
    return found.setdefault(name, Rule(name))


class _Makers:
    """Knows which rule made a file that runs have read."""

    def __init__(self, jobs: list[Job]) -> None:
        self._by_end: dict[str, str] = {}
        for job in jobs:
            below = job.path.removeprefix(f"benchmarks/{job.rule}/").removesuffix(".tsv")
            if job.rule in INTERVALS:
                self._by_end[f"genomes/{below}/intervals.bed"] = job.rule
            elif job.rule == "download_file":
                self._by_end[below] = job.rule

    def of(self, path: str) -> str:
        """Return the rule, empty where no rule made the file."""
        made = MADE.search(path)
        ends = (end for end in self._by_end if path.endswith(f"/{end}"))
        return (made and rule_of(made[1])) or self._by_end.get(next(ends, ""), "")


def _ordered(rules: Mapping[str, Rule]) -> list[str]:
    """Order rules so that each comes after those it reads from, and the unconnected last."""
    read = {name for of in rules.values() for name in of.reads}
    depths: dict[str, int] = {}

    def depth(name: str, below: tuple[str, ...] = ()) -> int:
        if name in below:  # a record that says that rules read each other
            return 0
        if name not in depths:
            sources = [of for of in rules[name].reads if of in rules]
            depths[name] = 1 + max((depth(of, (*below, name)) for of in sources), default=-1)
        return depths[name]

    for name in sorted(rules):
        depth(name)
    return sorted(rules, key=lambda of: (of not in read and not rules[of].reads, depths[of], of))


def drawn(results: Results) -> Iterator[Figure]:
    """Draw the rules, if any run has recorded what it read."""
    rules = list(graph(results).values())
    if not any(rule.reads for rule in rules):
        return
    step, places = _places(rules)
    rows = 1 + max(row for _, row in places.values())
    figure, (axes,) = new(7.0, 0.15 + 0.42 * rows)
    _lines(axes, rules, places, step)
    for rule in rules:
        _box(axes, rule, *places[rule.name])
    _frame(axes, rows)
    yield Figure(
        name="workflow",
        title="Rules that ran and what they read",
        caption="Each box is a rule, with its jobs and their time together. A line runs from it "
        "down to the rules that read what it wrote, as the runs recorded.",
        description="; ".join(
            f"{rule.name} ({rule.size})"
            + (f" reads {formats.listed(sorted(rule.reads))}" if rule.reads else "")
            for rule in rules
        )
        + ".",
        drawing=rendered(figure),
        data=to_tsv(
            "rule reads jobs seconds peak_bytes",
            (
                (rule.name, ",".join(sorted(rule.reads)), rule.count, rule.seconds, rule.peak)
                for rule in rules
            ),
        ),
        sources=tuple(
            dict.fromkeys(
                path
                for rule in rules
                for path in (*(of.info_file for of in rule.runs), *(of.path for of in rule.jobs))
            )
        ),
    )


def _places(rules: list[Rule]) -> tuple[float, dict[str, tuple[float, int]]]:
    """Return how far right each step leads, and left edge and row of each box.

    What neither reads nor is read from stands below the staircase, two in a row.
    """
    read = {name for rule in rules for name in rule.reads}
    connected = [rule.name for rule in rules if rule.reads or rule.name in read]
    alone = [rule.name for rule in rules if rule.name not in connected]
    step = min(MOST_STEP, (1 - WIDTH) / max(1, len(connected) - 1))
    places = {name: (step * row, row) for row, name in enumerate(connected)}
    for index, name in enumerate(alone):
        places[name] = ((1 - WIDTH) * (index % 2), len(connected) + index // 2)
    return step, places


def _lines(
    axes: Axes, rules: list[Rule], places: Mapping[str, tuple[float, int]], step: float
) -> None:
    """Draw a line down from each rule that is read from, and one to the box of each reader.

    Dots tell where two of them meet from where they only cross.
    """
    lowest: dict[str, int] = {}
    for rule in rules:
        left, row = places[rule.name]
        above = [name for name in sorted(rule.reads) if places[name][1] < row]
        if above:
            meeting = [places[name][0] + step / 2 for name in above]
            axes.plot([min(meeting), left], [row, row], color=SOFT, linewidth=1, zorder=1)
            axes.plot(meeting, [row] * len(meeting), ".", color=SOFT, markersize=6, zorder=1)
            axes.plot(left - 0.011, row, ">", color=SOFT, markersize=4.5, zorder=2)
        lowest |= {name: max(row, lowest.get(name, row)) for name in above}
    for name, row in lowest.items():
        left, top = places[name]
        ends = [top + HEIGHT / 2, row]
        axes.plot([left + step / 2] * 2, ends, color=SOFT, linewidth=1, zorder=1)


def _box(axes: Axes, rule: Rule, left: float, row: int) -> None:
    box = axes.barh(row, WIDTH, left=left, height=HEIGHT, color=FAINT, zorder=3)
    hover(box, _in_words(rule))
    if _has_row(rule):
        box.patches[0].set_gid(f"{TABLE}/{rule.name}")
    for text, above, size in ((rule.name, 6.0, 8.5), (rule.size, -5.5, 7.5)):
        axes.annotate(
            formats.shortened(text), (left, row), xytext=(5, above), textcoords="offset points",
            fontsize=size, va="center_baseline", color=INK, zorder=4,
        )  # fmt: skip


def _has_row(rule: Rule) -> bool:
    return any(isinstance(run, Run) for run in rule.runs)


def _in_words(rule: Rule) -> str:
    stages = dict.fromkeys(formats.TITLES[run.stage] for run in rule.runs if isinstance(run, Run))
    lines = (
        rule.name,
        ", ".join(stages),
        rule.size,
        f"{formats.memory(rule.peak)} at most" if math.isfinite(rule.peak) else "",
        f"reads {formats.listed(sorted(rule.reads))}" if rule.reads else "",
        "click: its row in the table" if _has_row(rule) else "",
    )
    return "\n".join(filter(None, lines))


def _frame(axes: Axes, rows: int) -> None:
    axes.set(xlim=(-0.005, 1.005), ylim=(rows - 0.55, -0.45), xticks=(), yticks=())
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
