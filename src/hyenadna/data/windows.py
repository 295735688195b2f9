"""Next-nucleotide pairs cut from a genome: random windows to train on, fixed tiles to evaluate on.

Shapes: L window length in tokens. A window spans L + 1 nucleotides, so that inputs and targets are
both L long and no base is lost to the shift. No special token is added.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from hyenadna.data.token_cache import TokenCache
from hyenadna.errors import InputError
from hyenadna.genome import Interval, check_intervals, merge_intervals
from hyenadna.tokenizer import PAD, reverse_complement_ids


class PretrainingWindows(Dataset[tuple[Tensor, Tensor]]):
    """Random windows, anywhere inside the intervals and on either strand.

    Item `index` depends on (seed, epoch, position in the epoch) alone, with epoch and position the
    quotient and remainder of `index` by the length of the set: indices run on past the first
    epoch, and any number of workers yields the same batches. The start is uniform over every
    start at which a window fits.

    Intervals that overlap or touch, of one split, count as one stretch; a window never leaves its
    stretch, so never enters another split.
    """

    def __init__(
        self,
        cache: TokenCache,
        intervals: Sequence[Interval],
        *,
        length: int,
        seed: int,
        flip_strand: float = 0.5,
    ) -> None:
        """Set up windows of `length` tokens; `flip_strand` is the chance of the reverse strand.

        Raises:
            InputError: an interval is off its contig, or none is long enough.
        """
        check_intervals(intervals, cache.contigs, source=cache.directory)
        stretches = merge_intervals(intervals)
        self._stretches = [s for s in stretches if s.end - s.start > length]
        if not self._stretches:
            raise _none_usable(stretches, needed=length + 1, length=length)
        self.skipped = len(stretches) - len(self._stretches)
        """Stretches left out because they are shorter than length + 1 nucleotides."""
        self.cache, self.length = cache, length
        self.seed, self.flip_strand = seed, flip_strand
        sizes = np.array([s.end - s.start for s in self._stretches])
        self._windows_per_epoch = int(sizes.sum()) // length
        # Of all the valid starts, laid end to end, those of stretch i end before _ends[i].
        self._ends = np.cumsum(sizes - length)

    def __len__(self) -> int:
        """Windows in an epoch: as many as cover the usable intervals once."""
        return self._windows_per_epoch

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return inputs (L,) and targets (L,), int64; targets are one nucleotide ahead."""
        if index < 0:
            raise IndexError(f"window {index}: indices start at 0 and run on without end")
        rng = np.random.default_rng((self.seed, *divmod(index, len(self))))
        place = int(rng.integers(self._ends[-1]))
        number = int(np.searchsorted(self._ends, place, side="right"))
        stretch = self._stretches[number]
        # Counted from the end: the last valid start of a stretch is end - L - 1.
        start = stretch.end - self.length - (int(self._ends[number]) - place)
        ids = self.cache.window(stretch.contig, start, start + self.length + 1)
        if rng.random() < self.flip_strand:
            ids = reverse_complement_ids(ids)
        return _shift(ids)


class EvaluationWindows(Dataset[tuple[Tensor, Tensor]]):
    """Fixed tiles, forward strand: every base of the intervals is a target exactly once.

    The one exception is the first base of each stretch (of intervals that overlap or touch), which
    nothing precedes: it is an input only. So the targets are the same whatever the length, and
    perplexities of different lengths compare. The last tile of a stretch is padded on the right.
    """

    def __init__(self, cache: TokenCache, intervals: Sequence[Interval], *, length: int) -> None:
        """Set up tiles of `length` tokens.

        Raises:
            InputError: an interval is off its contig, or none has two bases.
        """
        check_intervals(intervals, cache.contigs, source=cache.directory)
        stretches = merge_intervals(intervals)
        self._stretches = [s for s in stretches if s.end - s.start >= 2]
        if not self._stretches:
            raise _none_usable(stretches, needed=2, length=length)
        self.cache, self.length = cache, length
        targets = np.array([s.end - s.start - 1 for s in self._stretches])
        self._ends = np.cumsum(-(-targets // length))  # tiles up to and with stretch i

    def __len__(self) -> int:
        """Tiles in all."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return inputs (L,) and targets (L,), int64, both PAD past the end of the stretch."""
        if not 0 <= index < len(self):
            raise IndexError(f"tile {index} of {len(self)}")
        number = int(np.searchsorted(self._ends, index, side="right"))
        stretch = self._stretches[number]
        before = int(self._ends[number - 1]) if number else 0
        start = stretch.start + (index - before) * self.length
        ids = self.cache.window(stretch.contig, start, min(start + self.length + 1, stretch.end))
        inputs, targets = _shift(ids)
        padding = (0, self.length - len(targets))
        return (
            torch.nn.functional.pad(inputs, padding, value=PAD),
            torch.nn.functional.pad(targets, padding, value=PAD),
        )


def _shift(ids: npt.NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """Split token ids (L + 1,) into inputs (L,) and targets (L,), int64."""
    tokens = torch.from_numpy(ids.astype(np.int64))
    return tokens[:-1], tokens[1:]


def _none_usable(stretches: Sequence[Interval], *, needed: int, length: int) -> InputError:
    if not stretches:
        return InputError("no intervals to cut windows from; is their split in the BED at all?")
    longest = max(s.end - s.start for s in stretches)
    return InputError(
        f"no interval can hold a window: length {length} needs {needed} nucleotides in a row, and "
        f"the longest of {len(stretches)} stretches has {longest}; "
        "choose a shorter length or longer intervals"
    )
