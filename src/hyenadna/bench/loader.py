"""Speed of the windows of pretraining beside the original's path (B windows, L length)."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hyenadna.bench.long_conv import OURS
from hyenadna.bench.machine import device_name
from hyenadna.bench.results import Row
from hyenadna.bench.session import Case, Options, Session, default_dtype
from hyenadna.bench.step import Subject, our_step, tokens_per_second
from hyenadna.bench.timing import ByNumpy, Call, Result, Stopwatch, time_in_rounds
from hyenadna.data.corpus import SplitSource
from hyenadna.data.token_cache import TokenCache
from hyenadna.data.windows import PretrainingWindows
from hyenadna.genome import Interval, merge_intervals, prepare_fasta, read_intervals
from hyenadna.model.backbone import HyenaDNA
from hyenadna.tokenizer import UNK, VOCAB

ORIGINAL = "pyfaidx and dict"
SPLIT = "train"
# Enough of 1M windows to differ, little enough to write in a moment.
SYNTHETIC_BASES = 8_000_000
SYNTHETIC_LINE = 60
# Nucleotides per call: that many short windows, or one long one.
CALL_BASES, CALL_WINDOWS = 1 << 18, 256
_COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}


@dataclass(frozen=True)
class Source:
    """One genome, twice."""

    tokens: Path
    """Its token cache."""
    fasta: Path
    """The indexed FASTA that the cache was made from."""
    intervals: Path
    """BED of splits."""


class OriginalWindows:
    """Windows as the original makes them: one by one, base by base."""

    def __init__(self, fasta: Path, intervals: list[Interval], *, length: int) -> None:
        """Set up windows of `length` tokens and one more base."""
        import pyfaidx  # which a machine that only computes may lack

        self._genome = pyfaidx.Fasta(str(fasta))
        self._intervals = [of for of in intervals if of.end - of.start > length]
        self._size = length + 1
        self._random = np.random.default_rng(0)

    def batch(self, size: int) -> Tensor:
        """Return ids (B, L + 1), int64, of random windows; every second is of the other strand."""
        return torch.stack([self._window(reverse=number % 2 == 1) for number in range(size)])

    def _window(self, *, reverse: bool) -> Tensor:
        contig, first, end, _ = self._intervals[self._random.integers(len(self._intervals))]
        start = int(self._random.integers(first, end - self._size + 1))
        return self.window(contig, start, reverse=reverse)

    def window(self, contig: str, start: int, *, reverse: bool) -> Tensor:
        """Return ids (L + 1,) of the window at `start`."""
        sequence = str(self._genome[contig][start : start + self._size])
        if reverse:
            sequence = "".join(_COMPLEMENT.get(base, base) for base in reversed(sequence))
        return torch.tensor([VOCAB.get(base, UNK) for base in sequence])


def bench(
    options: Options,
    tell: Callable[[str], None],
    *,
    source: Source | None = None,
    subject: Subject | None = None,
) -> None:
    """Measure batches of windows at each length, from `source` or from a synthetic genome.

    With a subject, a training step of it follows at the lengths that it takes.
    """
    # Windows are made on the CPU whatever a network runs on.
    session = Session(replace(options, device=torch.device("cpu")), tell)
    with _given_or_synthetic(source) as of:
        for length in sorted(set(options.lengths)):
            ours, original = _measure(session, of, length)
            for row in (original, ours):
                if row.median_seconds:
                    tell(_speed(row))
            if subject and length <= subject.config.max_seq_len:
                _compare(ours, subject, options, tell)
    session.finish()


def synthetic_genome(folder: Path, *, bases: int) -> Source:
    """Write a genome of random bases, its token cache and its intervals."""
    letters = np.frombuffer(b"ACGT", np.uint8)[np.random.default_rng(0).integers(4, size=bases)]
    text = letters.tobytes().decode()
    lines = (text[at : at + SYNTHETIC_LINE] for at in range(0, bases, SYNTHETIC_LINE))
    written = folder / "synthetic.fa"
    written.write_text(">chr1\n" + "\n".join(lines) + "\n", encoding="ascii")
    source = Source(folder / "tokens", folder / "genome.fa", folder / "intervals.bed")
    prepare_fasta(written, source.fasta)
    TokenCache.build(source.fasta, source.tokens)
    source.intervals.write_text(f"chr1\t0\t{bases}\t{SPLIT}\n", encoding="ascii")
    return source


@contextmanager
def _given_or_synthetic(source: Source | None) -> Iterator[Source]:
    if source is not None:
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        yield synthetic_genome(Path(folder), bases=SYNTHETIC_BASES)


def _measure(session: Session, source: Source, length: int) -> tuple[Row, Row]:
    """Measure both paths at one length and return their rows, ours first."""
    size = max(1, min(CALL_WINDOWS, CALL_BASES // length))
    blank = Row("loader", OURS, "", "read", "uint8", size, 1, length)
    rows = {ORIGINAL: replace(blank, implementation=ORIGINAL), OURS: blank}
    intervals = read_intervals(source.intervals)
    train = merge_intervals([of for of in intervals if of.split == SPLIT])
    cached = SplitSource(TokenCache.open(source.tokens), train)
    ours = PretrainingWindows([cached], length=length, seed=0)
    theirs = OriginalWindows(source.fasta, train, length=length)
    calls = {
        ORIGINAL: ByNumpy(lambda: (theirs.batch(size),)),
        OURS: ByNumpy(_batches(ours, size)),
    }
    original, found = session.measure(rows, calls, plain=ORIGINAL)
    return found, original


def _batches(windows: PretrainingWindows, size: int) -> Call:
    """Return a call that gives the next batch each time."""
    first = 0

    def batch() -> Result:
        nonlocal first
        first += size
        return (windows.batch(range(first - size, first)).ids,)

    return batch


def _compare(loaded: Row, subject: Subject, options: Options, tell: Callable[[str], None]) -> None:
    """Time a training step of ours and say how many times as fast the loader is."""
    device = options.device
    dtype = options.dtype or default_dtype(device)
    case = Case(device, dtype, options.batch, subject.config.d_model, loaded.length)
    torch.manual_seed(0)
    model = HyenaDNA(subject.config).to(device).train()
    step = our_step(model, case, subject.recipe_for(case))
    timing = time_in_rounds({OURS: step}, Stopwatch(device), options.effort)[OURS]
    if timing.status or not loaded.median_seconds:
        tell(f"no training step at {loaded.length:,}: {timing.status or loaded.status}")
        return
    read = case.batch * case.length / timing.quartiles()[1]
    given = tokens_per_second(loaded)
    tell(
        f"a training step reads {read:,.0f} tokens/s at {case.batch} x {case.length:,} in {dtype} "
        f"on {device_name(device)}; the loader gives {given:,.0f}, {given / read:,.1f} times that"
    )


def _speed(row: Row) -> str:
    assert row.median_seconds
    return (
        f"loader {row.implementation} at {row.length:,}: {row.batch / row.median_seconds:,.1f} "
        f"windows/s, {tokens_per_second(row):,.0f} tokens/s"
    )
