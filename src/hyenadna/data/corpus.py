"""What a model is pretrained on: one or several genomes, each with its splits and its weight."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hyenadna.data.intervals import widen
from hyenadna.data.token_cache import TokenCache
from hyenadna.errors import InputError
from hyenadna.files import sha256
from hyenadna.genome import SPLITS, Interval, check_intervals, merge_intervals, read_intervals

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GenomeSource:
    """Where one genome of a corpus is read from."""

    tokens: Path
    """Its token cache."""
    intervals: Path
    """BED whose fourth column is train, valid or test."""
    weight: float = 1.0
    """Its share of the training windows, relative to the weights of the other genomes."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return genome_name(self.tokens)


@dataclass(frozen=True)
class SplitSource:
    """One genome's part in a split."""

    cache: TokenCache
    intervals: list[Interval]
    """Of this split, merged: no two overlap or touch."""
    weight: float = 1.0

    @property
    def name(self) -> str:
        """What messages call the genome."""
        return genome_name(self.cache.directory)


@dataclass(frozen=True)
class Corpus:
    """The splits of all genomes; open one with `Corpus.open`."""

    sources: Mapping[str, list[SplitSource]]
    """For each split that there is, the genomes that have it, in the order given."""
    data: dict[Path, str]
    """SHA-256 of each file that is read."""

    @classmethod
    def open(cls, genomes: Sequence[GenomeSource], *, length: int) -> Self:
        """Open the genomes and make train intervals ready for windows of up to `length` tokens.

        A train interval shorter than length + 1 nucleotides is widened to that about its middle,
        but never off its contig nor into another split. Intervals to evaluate on stay as they
        are: what is scored does not depend on the length.

        Raises:
            InputError: files do not fit each other, a base is in two splits, a split is missing.
        """
        if not genomes:
            raise InputError("no genome to train on; give at least one token cache with its BED")
        sources: dict[str, list[SplitSource]] = {}
        data: dict[Path, str] = {}
        seen: dict[str, Path] = {}
        for genome in genomes:
            if not 0 < genome.weight < float("inf"):
                raise InputError(
                    f"weight {genome.weight} of genome {genome.name}: a weight is more than 0; "
                    "leave out a genome that is not to be trained on"
                )
            cache = TokenCache.open(genome.tokens)
            if cache.sha256 in seen:
                raise InputError(
                    f"{genome.tokens} holds the same bases as {seen[cache.sha256]}; give a genome "
                    "once, with one BED for all of its intervals"
                )
            seen[cache.sha256] = genome.tokens
            data |= _files(cache, genome)
            for split, intervals in _splits(cache, genome, length):
                sources.setdefault(split, []).append(SplitSource(cache, intervals, genome.weight))
        if "valid" not in sources:
            beds = ", ".join(str(genome.intervals) for genome in genomes)
            raise _missing("valid", beds, sources)
        return cls({split: sources[split] for split in SPLITS if split in sources}, data)

    @property
    def splits(self) -> list[str]:
        """Names of the splits that there are."""
        return list(self.sources)

    def split(self, name: str) -> list[SplitSource]:
        """Return the genomes that have a split; none if no genome does."""
        return self.sources.get(name, [])

    def bases(self, split: str) -> int:
        """Return the nucleotides of a split, widened intervals included."""
        return sum(i.end - i.start for source in self.split(split) for i in source.intervals)


def genome_name(tokens: Path) -> str:
    """Return the name of a genome by its token cache: <name>/tokens or <name>."""
    directory = tokens.resolve()
    return directory.parent.name if directory.name == "tokens" else directory.name


def _files(cache: TokenCache, genome: GenomeSource) -> dict[Path, str]:
    sums = {
        genome.tokens / "tokens.u8": cache.sha256,
        genome.intervals: sha256(genome.intervals),
    }
    if cache.soft_mask_sha256 is not None:
        sums[genome.tokens / "soft_mask.u1"] = cache.soft_mask_sha256
    return sums


def _splits(
    cache: TokenCache, genome: GenomeSource, length: int
) -> Iterator[tuple[str, list[Interval]]]:
    """Yield each split of one genome with its stretches; train is widened."""
    intervals = read_intervals(genome.intervals)
    check_intervals(intervals, cache.contigs, source=genome.intervals)
    there = {interval.split for interval in intervals}
    if "train" not in there:
        raise _missing("train", str(genome.intervals), there)
    for split in SPLITS:
        if split not in there:
            continue
        if split == "train":
            own = _widened_train(intervals, cache, genome.name, size=length + 1)
        else:
            own = [interval for interval in intervals if interval.split == split]
        yield split, merge_intervals(own)


def _widened_train(
    intervals: list[Interval], cache: TokenCache, name: str, *, size: int
) -> list[Interval]:
    widened = widen(intervals, cache.contigs, split="train", size=size)
    if widened.number:
        stretches = merge_intervals(widened.intervals)
        short = sum(s.end - s.start < size for s in stretches)
        _log.info(
            "%s train: %s intervals widened to %s nt, %s bp clipped at other splits and contig "
            "ends; %s of %s stretches are too short for a window and left out",
            *(name, f"{widened.number:,}", f"{size:,}", f"{widened.clipped:,}"),
            *(f"{short:,}", f"{len(stretches):,}"),
        )
    return widened.intervals


def _missing(split: str, beds: str, there: Iterable[str]) -> InputError:
    names = ", ".join(repr(name) for name in sorted(there))
    return InputError(
        f"{beds}: no interval is marked {split!r} in the fourth column (there is {names}); "
        "pretraining needs 'train' in each genome and 'valid' in one of them, and reports on "
        "'test' if there is one"
    )
