"""Windows cut from genomes: random ones to train on, fixed tiles to evaluate on.

Shapes: B windows, L window length in tokens. A window spans L + 1 nucleotides, so that inputs and
targets are both L long and no base is lost to the shift. No special token is added.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hyenadna.data import draws
from hyenadna.data.corpus import SplitSource
from hyenadna.errors import InputError
from hyenadna.genome import Interval, check_intervals, merge_intervals
from hyenadna.tokenizer import PAD, N, reverse_complement_ids

Indices = Sequence[int] | npt.NDArray[np.int64]
"""(B,) numbers of windows; a range will do."""

_Keys = TypeVar("_Keys", npt.NDArray[np.int64], draws.Words)
_Value = TypeVar("_Value", bound=np.generic)

_DRAWS = 100  # of one window, before its genome is given up
# Outputs of a window's generator: its genome, its strand, then a start for each draw.
_GENOME, _STRAND, _FIRST_START = range(3)


class Windows(NamedTuple):
    """A batch of windows; inputs are all tokens but the last, targets all but the first."""

    ids: Tensor
    """(B, L + 1) uint8 token ids."""
    soft_masked: Tensor | None = None
    """(B, L + 1) bool, true where the genome is in lower case."""


class PretrainingWindows:
    """Random windows, anywhere inside the intervals and on either strand.

    Window `index` depends on (seed, epoch, position in the epoch) alone, with epoch and position
    the quotient and remainder of `index` by the length of the set: indices run on past the first
    epoch, and any batches, by any number of workers, hold the same windows. A genome is drawn by
    its weight, then a start, uniform over every start of that genome at which a window fits.

    Intervals that overlap or touch, of one split, count as one stretch; a window never leaves its
    stretch, so never enters another split.
    """

    def __init__(
        self,
        sources: Sequence[SplitSource],
        *,
        length: int,
        seed: int,
        flip_strand: float = 0.5,
        max_n_share: float = 0.5,
        with_soft_mask: bool = False,
    ) -> None:
        """Set up windows of `length` tokens.

        Args:
            sources: genomes with their intervals.
            length: L.
            seed: another one gives other windows.
            flip_strand: chance of the reverse strand.
            max_n_share: a window with a larger share of N gets another start in its genome.
            with_soft_mask: whether batches have one.

        Raises:
            InputError: an interval is off its contig, a genome has none that is long enough, or a
                soft mask is asked for where there is none.
        """
        self._places = [_Places(source, size=length + 1) for source in sources]
        if not sources:
            raise _none_usable("no genome", [], size=length + 1)
        if with_soft_mask:
            for source in sources:
                source.cache.check_soft_mask()
        self.skipped = sum(places.skipped for places in self._places)
        """Stretches left out because they are shorter than length + 1 nucleotides."""
        self.length, self.seed, self.flip_strand = length, seed, flip_strand
        self.max_n_share, self.with_soft_mask = max_n_share, with_soft_mask
        self._windows_per_epoch = sum(places.bases for places in self._places) // length
        # The length is a word too, or the stages of a length warm-up would start alike.
        self._state = draws.absorb(*np.array([[seed % 2**64], [length]], dtype=np.uint64))
        weights = np.cumsum([source.weight for source in sources])
        self._shares = weights[:-1] / weights[-1]  # a number below share k draws genome k

    def __len__(self) -> int:
        """Windows in an epoch: as many as cover the usable intervals of all genomes once."""
        return self._windows_per_epoch

    def batch(self, indices: Indices) -> Windows:
        """Return the windows of these numbers, in their order.

        Raises:
            InputError: a genome has hardly any window with few enough N.
        """
        drawn, ids = self._draw(indices)
        ids[drawn.reverse] = reverse_complement_ids(ids[drawn.reverse])
        if not self.with_soft_mask:
            return Windows(torch.from_numpy(ids))
        masked = self._from_each(_Places.soft_mask, drawn.genome, drawn.start)
        masked[drawn.reverse] = masked[drawn.reverse, ::-1]
        return Windows(torch.from_numpy(ids), torch.from_numpy(masked))

    def describe(self, index: int) -> str:
        """Say where a window lies: genome, interval of its nucleotides and strand."""
        drawn, _ = self._draw([index])
        places = self._places[drawn.genome[0]]
        strand = "-" if drawn.reverse[0] else "+"
        return f"{places.source.name} {places.interval(drawn.start[0])} ({strand})"

    def _draw(self, indices: Indices) -> tuple["_Drawn", npt.NDArray[np.uint8]]:
        """Return where windows lie, and their token ids (B, L + 1) on the forward strand."""
        states = self._states(indices)
        of_genome, of_strand, of_start = draws.outputs(states, (_GENOME, _STRAND, _FIRST_START))
        genome = np.searchsorted(self._shares, draws.unit(of_genome), side="right")
        reverse = draws.unit(of_strand) < self.flip_strand
        starts = self._from_each(_Places.starts, genome, of_start)
        ids = self._from_each(_Places.ids, genome, starts)
        left = self._poor(ids)
        for number in range(1, _DRAWS):
            if not left.size:
                return _Drawn(genome, starts, reverse), ids
            (of_start,) = draws.outputs(states[left], (_FIRST_START + number,))
            starts[left] = self._from_each(_Places.starts, genome[left], of_start)
            ids[left] = self._from_each(_Places.ids, genome[left], starts[left])
            left = left[self._poor(ids[left])]
        source = self._places[genome[left[0]]].source
        raise InputError(
            f"{source.name}: {_DRAWS} windows of {self.length + 1} nucleotides in a row were more "
            f"than {self.max_n_share:.0%} N; leave stretches of N out of its intervals, or raise "
            "max_n_share"
        )

    def _states(self, indices: Indices) -> draws.Words:
        """Return the seed (B,) of each window's own generator."""
        numbers = np.asarray(indices, dtype=np.int64)
        if numbers.size and numbers.min() < 0:
            raise IndexError(f"window {numbers.min()}: indices start at 0 and run on without end")
        epochs, positions = np.divmod(numbers, len(self))
        return draws.absorb(self._state, epochs.astype(np.uint64), positions.astype(np.uint64))

    def _from_each(
        self,
        read: Callable[["_Places", _Keys], npt.NDArray[_Value]],
        genome: npt.NDArray[np.int64],
        keys: _Keys,
    ) -> npt.NDArray[_Value]:
        """Return what each window's genome gives for its key, both (B,), as (B, ...)."""
        if len(self._places) == 1:  # Spares copies.
            return read(self._places[0], keys)
        parts: list[npt.NDArray[_Value]] = [
            read(places, keys[genome == k]) for k, places in enumerate(self._places)
        ]
        together = np.empty((len(keys), *parts[0].shape[1:]), dtype=parts[0].dtype)
        for k, part in enumerate(parts):
            together[genome == k] = part
        return together

    def _poor(self, ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
        """Return which windows (B, L + 1) have too large a share of N."""
        # N is the last id of a genome, and a maximum needs no memory; few windows have any.
        some = np.flatnonzero(ids.max(axis=1) == N)
        unknown = np.count_nonzero(ids[some] == N, axis=1)
        poor: npt.NDArray[np.intp] = some[unknown > self.max_n_share * (self.length + 1)]
        return poor


class _Drawn(NamedTuple):
    """Where windows lie."""

    genome: npt.NDArray[np.int64]
    """(B,) index of the source."""
    start: npt.NDArray[np.int64]
    """(B,) first nucleotide, counted through all contigs of the genome."""
    reverse: npt.NDArray[np.bool_]
    """(B,) whether the window is read on the reverse strand."""


class _Places:
    """All places of one genome at which a window of `size` nucleotides fits."""

    def __init__(self, source: SplitSource, *, size: int) -> None:
        stretches = _merged(source)
        self._stretches = [s for s in stretches if s.end - s.start >= size]
        if not self._stretches:
            raise _none_usable(source.name, stretches, size=size)
        self.source, self._size = source, size
        self.skipped = len(stretches) - len(self._stretches)
        lengths = np.array([s.end - s.start for s in self._stretches])
        self.bases = int(lengths.sum())
        # Of all places, laid end to end, those of stretch i end before _ends[i].
        self._ends = np.cumsum(lengths - size + 1)
        offsets = np.array([source.cache.offsets[s.contig] + s.start for s in self._stretches])
        self._shifts = offsets - np.append(0, self._ends[:-1])

    def starts(self, random: draws.Words) -> npt.NDArray[np.int64]:
        """Return the start in the genome (B,) of the place that each number stands for."""
        places = draws.below(random, self._ends[-1:].astype(np.uint64))
        shifts: npt.NDArray[np.int64] = self._shifts[np.searchsorted(self._ends, places, "right")]
        return places + shifts

    def ids(self, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Return the token ids (B, size) of places."""
        return self.source.cache.token_rows(starts, self._size)

    def soft_mask(self, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return the soft mask (B, size) of places."""
        return self.source.cache.soft_mask_rows(starts, self._size)

    def interval(self, start: np.int64) -> Interval:
        """Return the place that begins at this nucleotide of the genome."""
        offsets = self.source.cache.offsets
        contig = max((c for c in offsets if offsets[c] <= start), key=offsets.__getitem__)
        first = int(start) - offsets[contig]
        return Interval(contig, first, first + self._size)


class EvaluationWindows:
    """Fixed tiles, forward strand: every base of the intervals is a target exactly once.

    The one exception is the first base of each stretch (of intervals that overlap or touch), which
    nothing precedes: it is an input only. So the targets are the same whatever the length, and
    perplexities of different lengths compare. The last tile of a stretch is padded on the right.
    """

    def __init__(self, sources: Sequence[SplitSource], *, length: int) -> None:
        """Set up tiles of `length` tokens, genome after genome.

        Raises:
            InputError: an interval is off its contig, or none has two bases.
        """
        every = [(source, stretch) for source in sources for stretch in _merged(source)]
        self._stretches = [(source, s) for source, s in every if s.end - s.start >= 2]
        if not self._stretches:
            names = ", ".join(source.name for source in sources) or "no genome"
            raise _none_usable(names, [stretch for _, stretch in every], size=2)
        self.length = length
        targets = np.array([s.end - s.start - 1 for _, s in self._stretches])
        self._ends = np.cumsum(-(-targets // length))  # tiles up to and with stretch i

    def __len__(self) -> int:
        """Tiles in all."""
        return int(self._ends[-1])

    def batch(self, indices: Indices) -> Windows:
        """Return the tiles of these numbers, PAD past the end of their stretch."""
        tiles = np.asarray(indices, dtype=np.int64)
        if tiles.size and not 0 <= tiles.min() <= tiles.max() < len(self):
            raise IndexError(f"tiles {tiles.min()} to {tiles.max()} of {len(self)}")
        numbers = np.searchsorted(self._ends, tiles, side="right")
        ids = np.full((len(tiles), self.length + 1), PAD, dtype=np.uint8)
        for row, number in enumerate(numbers.tolist()):
            source, stretch = self._stretches[number]
            before = int(self._ends[number - 1]) if number else 0
            start = stretch.start + (int(tiles[row]) - before) * self.length
            end = min(start + self.length + 1, stretch.end)
            ids[row, : end - start] = source.cache.window(stretch.contig, start, end)
        return Windows(torch.from_numpy(ids))


def in_batches(
    windows: PretrainingWindows | EvaluationWindows, numbers: Sequence[int], size: int
) -> Iterator[Windows]:
    """Yield the windows of these numbers in their order, `size` at a time."""
    for start in range(0, len(numbers), size):
        yield windows.batch(numbers[start : start + size])


def _merged(source: SplitSource) -> list[Interval]:
    check_intervals(source.intervals, source.cache.contigs, source=source.cache.directory)
    return merge_intervals(source.intervals)


def _none_usable(name: str, stretches: Sequence[Interval], *, size: int) -> InputError:
    if not stretches:
        return InputError(
            f"{name}: no intervals to cut windows from; is their split in the BED at all?"
        )
    longest = max(s.end - s.start for s in stretches)
    return InputError(
        f"{name}: no interval can hold a window: length {size - 1} needs {size} nucleotides in a "
        f"row, and the longest of {len(stretches)} stretches has {longest}; "
        "choose a shorter length or longer intervals"
    )
