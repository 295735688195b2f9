"""Labelled sequences of a benchmark, and the readers that the benchmark families share.

N items, K targets. Sequences of a genome are cut when asked for, so that a set of millions of
windows costs its coordinates only.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hyenadna.errors import InputError
from hyenadna.genome import Genome, read_blocks, reverse_complement

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["single", "multi", "regression"]
"""One class per item, any number of binary targets per item, or K real numbers per item."""

_UNKNOWN = b"URYSWKMBDHVN"
_NUCLEOTIDES = re.compile("[ACGTURYSWKMBDHVN]+", re.IGNORECASE)


class Sequences(Protocol):
    """What a set needs of its sequences: a list of strings will do."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> str: ...


@dataclass(frozen=True)
class Regions:
    """Sequences cut from genomes when asked for, N where a region runs off its contig."""

    genomes: tuple[Genome, ...]
    source: NDArray[np.int64]
    """(N,) index into `genomes`."""
    contigs: NDArray[np.object_]
    """(N,) contig names."""
    starts: NDArray[np.int64]
    """(N,) first base, zero-based; below zero where the region begins before its contig."""
    ends: NDArray[np.int64]
    """(N,) end, half-open."""
    reverse: NDArray[np.bool_] | None = None
    """(N,) whether the sequence is that of the reverse strand; none is if not given."""
    known_only: bool = False
    """Leave out letters other than A, C, G and T, so that gaps of an assembly are not seen."""

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int, /) -> str:
        if index >= len(self):
            raise IndexError(index)
        genome = self.genomes[self.source[index]]
        contig: str = self.contigs[index]
        start, end = int(self.starts[index]), int(self.ends[index])
        length = genome.contigs[contig]
        before, after = max(0, -start), max(0, end - length)
        inside = genome.fetch(contig, start + before, end - after)
        sequence = "N" * before + inside + "N" * after
        if self.known_only:
            sequence = sequence.encode().translate(None, _UNKNOWN).decode()
        flipped = self.reverse is not None and self.reverse[index]
        return reverse_complement(sequence) if flipped else sequence

    def take(self, rows: NDArray[np.int64]) -> "Regions":
        """Return the regions at `rows`, in that order."""
        return replace(
            self,
            source=self.source[rows],
            contigs=self.contigs[rows],
            starts=self.starts[rows],
            ends=self.ends[rows],
            reverse=None if self.reverse is None else self.reverse[rows],
        )

    def count_padded(self) -> int:
        """Return how many regions run off their contig."""
        limits = [
            self.genomes[source].contigs[contig]
            for source, contig in zip(self.source, self.contigs, strict=True)
        ]
        return int(((self.starts < 0) | (self.ends > np.asarray(limits))).sum())


@dataclass(frozen=True)
class _Subset:
    sequences: Sequences
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int, /) -> str:
        return self.sequences[int(self.rows[index])]


@dataclass(frozen=True)
class LabelledSet:
    """Items of one split of a benchmark, in a fixed order."""

    ids: list[str]
    sequences: Sequences
    lengths: NDArray[np.int64]
    """(N,) nucleotides of each sequence."""
    labels: NDArray[Any]
    """(N,) int64 classes, or (N, K) uint8, 1 where the target holds, or (N, K) fp32 numbers."""
    classes: tuple[str, ...]
    """Names of the classes or of the K targets."""
    kind: Kind
    groups: tuple[str, ...] | None = None
    """Group of each target, such as TF, DHS or HM, over which medians are taken."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def regions(self) -> Regions | None:
        """Where the items lie in their genomes, if that is known."""
        return self.sequences if isinstance(self.sequences, Regions) else None

    def take(self, rows: NDArray[np.int64]) -> "LabelledSet":
        """Return the items at `rows`, in that order."""
        regions = self.regions
        return replace(
            self,
            ids=[self.ids[row] for row in rows],
            sequences=_Subset(self.sequences, rows) if regions is None else regions.take(rows),
            lengths=self.lengths[rows],
            labels=self.labels[rows],
        )

    def hold_out(self, fraction: float, *, seed: int) -> tuple["LabelledSet", "LabelledSet"]:
        """Split into the rest and a random `fraction`, drawn class by class where there is one."""
        held = np.zeros(len(self), dtype=bool)
        for members in self._shuffled_strata(seed):
            # Every class is on both sides, or the held-out part could not score it.
            count = min(max(1, round(fraction * len(members))), len(members) - 1)
            held[members[:count]] = True
        return self.take(np.flatnonzero(~held)), self.take(np.flatnonzero(held))

    def fold(self, number: int, *, folds: int, seed: int) -> tuple["LabelledSet", "LabelledSet"]:
        """Split into the rest and fold `number` of `folds`, drawn class by class like `hold_out`.

        The folds of one seed share no item, and together are the whole set.
        """
        held = np.zeros(len(self), dtype=bool)
        for members in self._shuffled_strata(seed):
            held[members[number % folds :: folds]] = True
        return self.take(np.flatnonzero(~held)), self.take(np.flatnonzero(held))

    def _shuffled_strata(self, seed: int) -> Iterator[NDArray[np.int64]]:
        """Yield the rows of each class in random order, or all rows where there are no classes."""
        strata = self.labels if self.kind == "single" else np.zeros(len(self), dtype=np.int64)
        for stratum in np.unique(strata):
            members = np.flatnonzero(strata == stratum)
            yield np.random.default_rng((seed, int(stratum))).permutation(members)


def find_table(directory: Path, stem: str) -> Path:
    """Return `directory/stem.csv.gz` or `.csv`, whichever there is."""
    found = [path for path in _tables(directory) if _stem(path) == stem]
    if len(found) != 1:
        problem = "both exist; keep one" if found else "no such file"
        raise InputError(f"{directory}/{stem}.csv.gz or .csv: {problem}")
    return found[0]


def table_stems(directory: Path) -> list[str]:
    """Return the names of a directory's tables without their suffixes, sorted.

    Never in directory order: that depends on the file system, and class numbers with it.
    """
    return sorted({_stem(path) for path in _tables(directory)})


def _tables(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise InputError(f"{directory}: no such directory; tables (.csv.gz) are expected there")
    return [path for path in directory.iterdir() if path.name.endswith((".csv", ".csv.gz"))]


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".csv")


def read_table(path: Path, columns: tuple[str, ...]) -> "pd.DataFrame":
    """Read a CSV, gzipped or not, as strings; row i of the frame is line i + 2 of the file.

    Raises:
        InputError: the file is truncated, empty, not a table, or lacks one of `columns`.
    """
    frames = list(read_table_in_parts(path, columns, dtype=str))
    import pandas as pd

    return pd.concat(frames, ignore_index=True)


def read_table_in_parts(
    path: Path, columns: tuple[str, ...], *, dtype: Any = None, rows: int = 20_000
) -> Iterator["pd.DataFrame"]:
    """Yield a CSV in frames of `rows` rows whose index goes on; errors as in `read_table`."""
    import pandas as pd

    empty = True
    try:
        with pd.read_csv(
            path, dtype=dtype, keep_default_na=False, skip_blank_lines=False, chunksize=rows
        ) as parts:
            for part in parts:
                missing = [column for column in columns if column not in part.columns]
                if missing:
                    raise InputError(
                        f"{path}: no column {missing[0]!r}; its header has "
                        f"{', '.join(map(str, part.columns[:8]))}"
                    )
                empty = empty and part.empty
                yield part
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(f"{path}: truncated or damaged gzip; fetch the file again") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV table: {' '.join(str(error).split())}") from None
    if empty:
        raise InputError(f"{path}: no rows below the header")


def integers(frame: "pd.DataFrame", column: str, *, path: Path) -> NDArray[np.int64]:
    """Return a column of strings as (N,) integers; a value that is none is an InputError."""
    values = frame[column]
    wrong = ~values.astype(str).str.fullmatch(r"-?\d{1,18}").to_numpy(dtype=bool)
    if wrong.any():
        row = frame.index[int(np.argmax(wrong))]
        raise InputError(
            f"{path}, line {row + 2}: {column} is {values[row]!r}; an integer is expected"
        )
    return values.to_numpy(dtype=np.int64)


def check_nucleotides(sequence: str, where: str) -> None:
    """Refuse a sequence that is empty or holds anything but IUPAC nucleotide letters."""
    if not _NUCLEOTIDES.fullmatch(sequence):
        raise InputError(
            f"{where}: {sequence[:20]!r} is not a sequence of nucleotides; "
            "A, C, G, T, N and the other IUPAC letters are allowed"
        )


class FastaRecord(NamedTuple):
    """One sequence of a FASTA file."""

    header: str
    """The whole line behind '>'."""
    sequence: str
    line: int
    """Where its header stands, from 1."""


def read_fasta(path: Path) -> Iterator[FastaRecord]:
    """Yield the records of a FASTA file, gzipped or not, one in memory at a time.

    Lines are read here, as pysam skips text before the first header, swallows lines behind a
    '+', and takes an empty file for a good one, all without a word.

    Raises:
        InputError: truncated gzip, text outside a record, a letterless or empty sequence.
    """
    header, parts, at = "", [""], 0
    for number, text in read_lines(path):
        if text.startswith(">"):
            if at:
                yield _record(header, parts, at, path)
            header, parts, at = text[1:].strip(), [], number
        elif text:
            if not at:
                raise InputError(f"{path}, line {number}: not FASTA; '>' and a name come first")
            check_nucleotides(text, f"{path}, line {number}")
            parts.append(text)
    if not at:
        raise InputError(f"{path}: no sequence in it")
    yield _record(header, parts, at, path)


def _record(header: str, parts: list[str], line: int, path: Path) -> FastaRecord:
    if not header:
        raise InputError(f"{path}, line {line}: a sequence without a name; one must follow '>'")
    if not parts:
        raise InputError(f"{path}, line {line}: {header.split()[0]!r} has no sequence")
    return FastaRecord(header, "".join(parts), line)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, text without line end) of a text file, gzipped or not."""
    number, rest = 0, b""
    for block in chain(read_blocks(path), [b"\n"]):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            number += 1
            yield number, line.decode(errors="replace").rstrip()
