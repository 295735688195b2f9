"""From peaks to tables of windows: 200-bp bins, labelled by target, and the windows about them.

One BED or narrowPeak file per target, a genome and its splits give the tables of the family
chromatin_profile. Coordinates are zero-based, half-open. K targets, M bins.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.bins import (
    BORDER,
    OUTSIDE,
    Stretches,
    covered_bins,
    read_peaks,
    read_splits,
)
from hyenadna.data.coordinate_tables import (
    CHROMOSOMES,
    NAME_COLUMN,
    NUMBER_COLUMN,
    format_labels,
    table_stem,
    write_csv,
)
from hyenadna.data.targets import Target, read_targets, write_groups
from hyenadna.errors import InputError
from hyenadna.genome import SPLITS, Genome

_LOG = logging.getLogger(__name__)
_BINS_AT_ONCE = 20_000


@dataclass(frozen=True)
class BinRule:
    """Which bins become windows."""

    size: int = 200
    """Nucleotides of a bin."""
    window: int = 1000
    """Nucleotides of the window centred on it."""
    keep: str | None = None
    """Group of which at least one target must hold, as TF for DeepSEA; any target if None."""
    empty: float = 0.0
    """Bins without a peak to add, for each bin that is kept; their windows have no N."""
    seed: int = 0
    """Decides which ones."""

    def __post_init__(self) -> None:
        if not 0 < self.size <= self.window or (self.window - self.size) % 2 or self.empty < 0:
            raise InputError(
                f"bins of {self.size} in windows of {self.window}, and {self.empty} empty bins to "
                "a kept one: a bin lies in the middle of its window, and no share is below 0"
            )


def chromatin_tables(
    peaks: Mapping[str, Path] | Path,
    *,
    genome: Path,
    splits: Path,
    assembly: str,
    out: Path,
    rule: BinRule = BinRule(),
) -> Path:
    """Write the tables of windows that peaks give, one a split, and targets.tsv.

    A target holds in a bin if its peaks cover more than half of it. A window belongs to the split
    whose interval holds all of it; those across a border are left out, and counted in the log.
    Memory is 4 bytes for each bin and target that holds in it, of the whole genome.

    Args:
        peaks: file of each target, or a TSV with columns target, group and file.
        genome: indexed FASTA.
        splits: BED with contig, start, end and train, valid or test.
        assembly: name for the files, such as hg38.
        out: directory to write to; files of other names in it stay.
        rule: which bins become windows.

    Raises:
        InputError: a file is missing, damaged or malformed, or a split has no window.
    """
    windows = _Windows(_list_targets(peaks, keep=rule.keep), Genome(genome), rule)
    stretches, names = read_splits(splits, windows.genome.contigs)
    held = windows.read_bins(stretches)
    numbered = set(stretches) <= set(CHROMOSOMES)
    tables = {name: out / f"{table_stem(name, assembly)}.csv.gz" for name in SPLITS}
    with ExitStack() as stack:
        files = [stack.enter_context(write_csv(tables[name])) for name in names]
        columns = [NUMBER_COLUMN if numbered else NAME_COLUMN, "Start", "End"]
        columns += [f"y_{target.name}" for target in windows.targets]
        for file in files:
            file.write(",".join(columns).encode() + b"\n")
        for contig, of_contig in stretches.items():
            label = str(CHROMOSOMES.index(contig)) if numbered else contig
            for block in windows.blocks(contig, of_contig, held.pop(contig)):
                for number, file in enumerate(files):
                    file.write(_format_rows(block, number, label, rule))
        _report(windows.counts, names, splits)
    write_groups(out / "targets.tsv", windows.targets)
    for name in set(SPLITS) - set(names):
        tables[name].unlink(missing_ok=True)
    return out


class _Block(NamedTuple):
    bins: NDArray[np.int32]
    """(M,) of one contig, ascending."""
    splits: NDArray[np.int8]
    """(M,) index of the split of each."""
    labels: NDArray[np.uint8]
    """(M, K), 1 where the target holds."""


@dataclass(frozen=True)
class _Windows:
    targets: Sequence[Target]
    genome: Genome
    rule: BinRule
    counts: Counter[int] = field(default_factory=Counter)
    """Windows by split, and bins that have none by `BORDER` or `OUTSIDE`."""

    def read_bins(self, contigs: Mapping[str, Stretches]) -> dict[str, list[NDArray[np.int32]]]:
        """Return the bins in which each of K targets holds, by contig."""
        held: dict[str, list[NDArray[np.int32]]] = {contig: [] for contig in contigs}
        lengths = self.genome.contigs
        for target in self.targets:
            assert target.peaks is not None
            peaks = read_peaks(target.peaks, lengths)
            for contig, bins in held.items():
                starts, ends = peaks.get(contig, np.empty((0, 2), dtype=np.int64)).T
                count = lengths[contig] // self.rule.size
                bins.append(covered_bins(starts, ends, size=self.rule.size, count=count))
        return held

    def blocks(
        self, contig: str, stretches: Stretches, held: list[NDArray[np.int32]]
    ) -> Iterator[_Block]:
        """Yield the chosen bins of a contig with their splits and labels, some at a time."""
        chosen, splits = self._choose(contig, stretches, held)
        for first in range(0, len(chosen), _BINS_AT_ONCE):
            bins = chosen[first : first + _BINS_AT_ONCE]
            labels = np.zeros((len(bins), len(held)), dtype=np.uint8)
            for target, of_target in enumerate(held):
                low, high = np.searchsorted(of_target, (bins[0], bins[-1] + 1))
                at = np.searchsorted(bins, of_target[low:high])
                labels[at[bins[at] == of_target[low:high]], target] = 1
            yield _Block(bins, splits[first : first + _BINS_AT_ONCE], labels)

    def _choose(
        self, contig: str, stretches: Stretches, held: list[NDArray[np.int32]]
    ) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        """Return (M,) bins, ascending, and their splits."""
        size, window = self.rule.size, self.rule.window
        wanted = [
            bins
            for bins, target in zip(held, self.targets, strict=True)
            if self.rule.keep in (None, target.group)
        ]
        bins = np.unique(np.concatenate(wanted))
        splits = stretches.split_of(bins, size=size, window=window)
        self.counts.update(splits[splits < 0].tolist())
        chosen = bins[splits >= 0]
        if self.rule.empty:
            added = self._draw_empty(contig, stretches, held, round(self.rule.empty * len(chosen)))
            chosen = np.sort(np.concatenate([chosen, added]))
        splits = stretches.split_of(chosen, size=size, window=window)
        self.counts.update(splits.tolist())
        return chosen, splits

    def _draw_empty(
        self, contig: str, stretches: Stretches, held: list[NDArray[np.int32]], number: int
    ) -> NDArray[np.int32]:
        """Return up to `number` bins without a peak, each with a split and a window without N."""
        order = list(self.genome.contigs)
        size, window = self.rule.size, self.rule.window
        count = self.genome.contigs[contig] // size
        free = np.setdiff1d(np.arange(count, dtype=np.int32), np.concatenate(held))
        free = free[stretches.split_of(free, size=size, window=window) >= 0]
        drawn: list[int] = []
        # Gaps of the assembly would tell empty bins from the others.
        rng = np.random.default_rng((self.rule.seed, order.index(contig)))
        for candidate in rng.permutation(free).tolist():
            if len(drawn) == number:
                break
            first = candidate * size - (window - size) // 2
            if "N" not in self.genome.fetch(contig, first, first + window):
                drawn.append(candidate)
        return np.array(drawn, dtype=np.int32)


def _format_rows(block: _Block, split: int, contig: str, rule: BinRule) -> bytes:
    """Return the lines of the windows of one split."""
    rows = np.flatnonzero(block.splits == split)
    firsts = block.bins[rows].astype(np.int64) * rule.size - (rule.window - rule.size) // 2
    lines = zip(firsts.tolist(), format_labels(block.labels[rows]), strict=True)
    return b"".join(
        b"%b,%d,%d%b\n" % (contig.encode(), first, first + rule.window, labels)
        for first, labels in lines
    )


def _list_targets(peaks: Mapping[str, Path] | Path, *, keep: str | None) -> list[Target]:
    """Return the targets, each of which has a file, and some of which are in group `keep`."""
    if isinstance(peaks, Path):
        targets, source = read_targets(peaks), str(peaks)
    else:
        targets, source = [Target(name, "", path) for name, path in peaks.items()], "peaks"
    for target in targets:
        if target.peaks is None:
            raise InputError(f"{source}: target {target.name!r} has no file of peaks")
    groups = sorted({target.group for target in targets})
    if not targets or (keep is not None and keep not in groups):
        raise InputError(f"{source}: no target is in group {keep!r}; groups are {groups}")
    return targets


def _report(counts: Counter[int], names: list[str], splits: Path) -> None:
    """Log how many windows there are; a split without any is an InputError."""
    for number, name in enumerate(names):
        if not counts[number]:
            raise InputError(f"{splits}: no bin with a peak has its window within {name}")
    _LOG.info(
        "windows: %s; left out: %d across a border of splits, %d outside them",
        ", ".join(f"{counts[number]} {name}" for number, name in enumerate(names)),
        counts[BORDER],
        counts[OUTSIDE],
    )
