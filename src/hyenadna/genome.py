"""Genomes and intervals: strict reads of an indexed FASTA, BED splits, and FASTA made ready.

Coordinates are zero-based, half-open, in nucleotides.
"""

import gzip
import itertools
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, cast

from hyenadna.errors import InputError
from hyenadna.fasta import NUCLEOTIDES, RENAMINGS, FastaCheck
from hyenadna.files import atomic_write

SPLITS = ("train", "valid", "test")
Contigs = Literal["all", "chromosomes", "numbered"]
"""Which records of a FASTA become contigs, and how they are named."""

_COMPLEMENTS = "TGCAAYRSWMKVHDBN"
_COMPLEMENT = str.maketrans(NUCLEOTIDES + NUCLEOTIDES.lower(), _COMPLEMENTS + _COMPLEMENTS.lower())
_BLOCK_BYTES = 4 << 20
# An empty BGZF block ends every whole bgzip file (SAM specification, section 4.1.2).
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


class Interval(NamedTuple):
    """A stretch of one contig, and the split that it belongs to, if any."""

    contig: str
    start: int
    end: int
    split: str = ""

    def __str__(self) -> str:
        return f"{self.contig}:{self.start}-{self.end}"


class _Opened(NamedTuple):
    pid: int
    faidx: Any
    contigs: dict[str, int]


class Genome:
    """Strict reads of an indexed FASTA through pyfaidx.

    The file is opened on first use, once per process: a handle inherited by a forked worker shares
    its file offset with the other workers, and they would read each other's bases. An index is
    never built or rebuilt here.
    """

    def __init__(self, fasta: Path | str) -> None:
        self.fasta = Path(fasta)
        self._opened: _Opened | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"fasta": self.fasta, "_opened": None}

    @property
    def contigs(self) -> dict[str, int]:
        """Length of each contig in nucleotides, in the order of the file."""
        return self._open().contigs

    def fetch(self, contig: str, start: int, end: int, strand: str = "+") -> str:
        """Return [start, end) in upper case; strand "-" gives its reverse complement.

        Raises:
            InputError: the contig, an end of the interval or the strand does not exist.
        """
        if strand not in ("+", "-"):
            raise InputError(f"strand {strand!r} of {contig}:{start}-{end} must be '+' or '-'")
        sequence = self.read(contig, start, end).upper()
        return sequence if strand == "+" else reverse_complement(sequence)

    def read(self, contig: str, start: int, end: int) -> str:
        """Return [start, end) as it is written, soft-masking kept.

        Raises:
            InputError: the contig or an end of the interval does not exist.
        """
        opened = self._open()
        check_bounds(contig, start, end, opened.contigs, source=self.fasta)
        # pyfaidx counts from 1 and includes the end.
        sequence: str = opened.faidx.fetch(contig, start + 1, end)
        if len(sequence) != end - start:
            raise _misfit(self.fasta, f"{contig}:{start}-{end} is cut short")
        return sequence

    def _open(self) -> _Opened:
        if self._opened is None or self._opened.pid != os.getpid():
            from pyfaidx import Faidx  # not needed by those who only train or only infer

            contigs = _read_index(self.fasta)
            faidx = Faidx(str(self.fasta), as_raw=True, rebuild=False, build_index=False)
            self._opened = _Opened(os.getpid(), faidx, contigs)
        return self._opened


def reverse_complement(sequence: str) -> str:
    """Return the opposite strand, 5' to 3'; IUPAC codes are complemented and case is kept."""
    return sequence.translate(_COMPLEMENT)[::-1]


def check_bounds(
    contig: str, start: int, end: int, contigs: Mapping[str, int], *, source: Path
) -> None:
    """Refuse an interval that is empty or does not lie within `contigs` (name to length)."""
    length = contigs.get(contig)
    if length is None:
        some = ", ".join(itertools.islice(contigs, 5))
        raise InputError(
            f"{source}: {contig}:{start}-{end}: the genome has no such contig (it starts with "
            f"{some}); name contigs as the FASTA does"
        )
    if not 0 <= start < end <= length:
        raise InputError(
            f"{source}: {contig}:{start}-{end} is not within its contig of {length} nucleotides; "
            f"give 0 <= start < end <= {length}, in coordinates of this assembly"
        )


def bed_lines(bed: Path) -> Iterator[tuple[int, str]]:
    """Yield number from 1 and text of each line of a BED, plain or gzip, that is an interval."""
    lines = b"".join(read_blocks(bed)).decode(errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith(("#", "track", "browser")):
            yield number, line


def read_intervals(bed: Path) -> list[Interval]:
    """Read a BED file, plain or gzip; a fourth column is the split of its interval.

    Raises:
        InputError: a line is not BED, or there is none.
    """
    intervals = []
    for number, line in bed_lines(bed):
        contig, *rest = line.split("\t")
        if len(rest) < 2 or not (rest[0].isdecimal() and rest[1].isdecimal()):
            raise InputError(
                f"{bed}, line {number}: {line[:60]!r} is not contig, start, end and perhaps split, "
                "separated by tabs, start and end being whole numbers"
            )
        start, end = int(rest[0]), int(rest[1])
        if start >= end:
            raise InputError(
                f"{bed}, line {number}: start {start} must be below end {end} "
                "(BED is zero-based and half-open)"
            )
        intervals.append(Interval(contig, start, end, rest[2].strip() if rest[2:] else ""))
    if not intervals:
        raise InputError(f"{bed}: no intervals; each line is contig, start, end, split")
    return intervals


def check_intervals(
    intervals: Iterable[Interval], contigs: Mapping[str, int], *, source: Path
) -> None:
    """Refuse intervals off their contigs, and splits that share bases.

    Args:
        intervals: as read from `source`.
        contigs: name to length of the genome that they are meant for.
        source: the BED, for the message.
    """
    intervals = list(intervals)
    for interval in intervals:
        check_bounds(interval.contig, interval.start, interval.end, contigs, source=source)
    # Stretches of one split are disjoint, so any two that overlap are next to each other here.
    stretches = sorted(merge_intervals(i for i in intervals if i.split in SPLITS))
    for one, other in itertools.pairwise(stretches):
        if one.contig == other.contig and other.start < one.end:
            raise InputError(
                f"{source}: {one.split} stretch {one} overlaps {other.split} stretch {other}; "
                "no base may be in two splits"
            )


def merge_intervals(intervals: Iterable[Interval]) -> list[Interval]:
    """Join intervals of one split that overlap or touch; sorted by contig, then split, start."""
    merged: list[Interval] = []
    for interval in sorted(intervals, key=lambda i: (i.contig, i.split, i.start)):
        last = merged[-1] if merged else None
        if (
            last is not None
            and (last.contig, last.split) == (interval.contig, interval.split)
            and interval.start <= last.end
        ):
            merged[-1] = last._replace(end=max(last.end, interval.end))
        else:
            merged.append(interval)
    return merged


def prepare_fasta(source: Path, out: Path, *, contigs: Contigs = "all") -> Path:
    """Check a FASTA, plain, gzip or bgzip, and write it unpacked with its index beside it.

    Whoever sees `out` with an index sees those two that belong together. Memory stays constant.

    Args:
        source: FASTA to read.
        out: FASTA to write.
        contigs: all as they are named, NCBI's assembled chromosomes alone as chr1, chr2, …, or
            all as record1, record2, ….

    Returns:
        `out`; the index is `out` + ".fai".

    Raises:
        InputError: the source is damaged, is not FASTA of nucleotides, evenly wrapped, or its
            headers do not tell one chromosome from another.
    """
    from pysam import faidx, set_verbosity
    from pysam.utils import SamtoolsError

    check = FastaCheck(source, unique=contigs != "numbered")
    renaming = None if contigs == "all" else RENAMINGS[contigs](source)
    index = Path(f"{out}.fai")
    # The index leaves before the old FASTA does and arrives after the new one.
    with atomic_write(index) as index_part, atomic_write(out) as part:
        with part.open("wb") as file:
            for block in read_blocks(source):
                check.feed(block)
                file.write(block if renaming is None else renaming.rename(block))
        check.finish()
        if renaming is not None:
            renaming.finish()
        # samtools' indexer: pyfaidx's own takes minutes where this takes seconds.
        verbosity = set_verbosity(0)
        try:
            faidx("--fai-idx", str(index_part), str(part))
        except SamtoolsError:
            raise InputError(f"{source}: {_find_uneven_line(source)}") from None
        finally:
            set_verbosity(verbosity)
        index.unlink(missing_ok=True)
    return out


def read_blocks(source: Path) -> Iterator[bytes]:
    """Yield a plain or gzip file in blocks that never end within a FASTA header."""
    if not source.is_file():
        raise InputError(f"{source}: no such file")
    with _open_text(source) as file:
        try:
            while block := file.read(_BLOCK_BYTES):
                if b">" in block[block.rfind(b"\n") + 1 :]:
                    block += file.readline()
                yield block
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{source}: damaged or cut short ({error}); fetch it again") from None


def _open_text(source: Path) -> BinaryIO:
    """Open a file for reading, unpacking gzip, which is told by its first bytes."""
    with source.open("rb") as file:
        first = file.read(16)
        file.seek(-min(len(_BGZF_END), source.stat().st_size), os.SEEK_END)
        last = file.read()
    if not first.startswith(b"\x1f\x8b"):
        return source.open("rb")
    # gzip sees no damage in a bgzip file that is cut between two blocks.
    if first.endswith(b"BC\x02\x00") and last != _BGZF_END:
        raise InputError(f"{source}: cut short (no bgzip end marker); fetch it again")
    return cast(BinaryIO, gzip.open(source))


def _find_uneven_line(source: Path) -> str:
    """Say why an indexer cannot address the bases of a FASTA by arithmetic."""
    width, ended = 0, False
    with _open_text(source) as file:
        for number, line in enumerate(file, start=1):
            if line.startswith(b">"):
                width, ended = 0, False
                continue
            bases = len(line.rstrip(b"\r\n"))
            width = width or bases
            if bases and (ended or bases > width):
                return (
                    f"uneven lines at line {number}; within a contig all lines but the last must "
                    "be of one length (`seqkit seq -w 60` rewraps a FASTA)"
                )
            ended = bases < width or not bases
    return "cannot be indexed: samtools faidx refuses it"


def _read_index(fasta: Path) -> dict[str, int]:
    """Return contig lengths from the index of `fasta`, once it is known to describe this file."""
    index = Path(f"{fasta}.fai")
    if not fasta.is_file():
        raise InputError(f"{fasta}: no such file")
    if fasta.suffix in (".gz", ".bgz"):
        raise InputError(
            f"{fasta}: compressed; unpack and index it with: "
            f"hyenadna genome {fasta} {fasta.with_suffix('')}"
        )
    if not index.is_file():
        raise InputError(
            f"{fasta}: index {index.name} is missing; make it with: hyenadna genome {fasta} {fasta}"
        )
    contigs = _check_layout(fasta, index.read_text(errors="replace").splitlines())
    if index.stat().st_mtime_ns < fasta.stat().st_mtime_ns:
        raise InputError(
            f"{fasta}: index {index.name} is older than the FASTA; make it again with: "
            f"hyenadna genome {fasta} {fasta}"
        )
    return contigs


def _check_layout(fasta: Path, index_lines: Iterable[str]) -> dict[str, int]:
    """Compare index lines (contig, length, offset, bases a line, bytes a line) with the file."""
    contigs = {}
    last_end = 0
    with fasta.open("rb") as file:
        for line in index_lines:
            try:
                contig, *numbers = line.split("\t")
                length, offset, bases, width = map(int, numbers)
            except ValueError:
                raise _misfit(fasta, f"{line[:60]!r} is no index line") from None
            file.seek(last_end)
            header = file.read(max(0, min(offset - last_end, _BLOCK_BYTES)))
            found = header.endswith(b"\n") and header.split()[0] == b">" + contig.encode()
            if not found or min(length, bases) < 1:
                raise _misfit(fasta, f"contig {contig!r} is not where the index has it")
            rows, columns = divmod(length - 1, bases)
            last_end = offset + rows * width + columns + 1
            contigs[contig] = length
        size = file.seek(0, os.SEEK_END)
        file.seek(last_end)
        if size < last_end or not contigs or file.read(_BLOCK_BYTES).strip():
            raise _misfit(fasta, f"sequence ends at byte {last_end} there, at {size} here")
    return contigs


def _misfit(fasta: Path, what: str) -> InputError:
    return InputError(
        f"{fasta}: its index {fasta.name}.fai does not fit it ({what}): one of them was changed or "
        f"cut short; make both again with: hyenadna genome SOURCE {fasta}"
    )
