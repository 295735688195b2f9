"""Liftover of whole intervals, with their strand, by a UCSC chain file on this disk.

Coordinates are zero-based, half-open. N rows.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from hyenadna.data.coordinate_tables import (
    CHROMOSOMES,
    NUMBER_COLUMN,
    find_contig_column,
    write_csv,
)
from hyenadna.data.labelled import read_lines
from hyenadna.errors import InputError

_LOG = logging.getLogger(__name__)
_INTEGER = re.compile(r"-?\d{1,18}")


class Lifted(NamedTuple):
    """An interval in the other assembly."""

    contig: str
    start: int
    end: int
    strand: str


class Unlifted(StrEnum):
    """Why an interval has no counterpart."""

    unmapped = "an end is in no chain"
    several = "an end is in several chains"
    contigs = "the ends are on different contigs"
    apart = "the ends are on different strands or in the wrong order"
    length = "the length changes"
    unnamed = "Chr_No has no number for the contig"


class Lift:
    """One direction between two assemblies.

    An interval is lifted if its first and its last base each have one counterpart, both on one
    contig and strand and in the order of that strand, and if its length changes by no more than
    `tolerance` nucleotides. Gaps inside that cancel out are not seen.

    Args:
        chain: file from the assembly of the intervals to the other one, plain or gzip.
        tolerance: nucleotides by which the length may change.

    Raises:
        InputError: the file is not there, cut short or not a chain file.
    """

    def __init__(self, chain: Path, *, tolerance: int = 0) -> None:
        # The library's other entry, get_lifter, would look for the file on the web.
        from liftover import ChainFile

        if not chain.is_file():
            raise InputError(f"{chain}: no such file; chain files are given by path")
        try:
            # By the names that stand in the file: the library also takes 20 for chr20.
            self._contigs = dict(ChainFile(chain).items())
        except ValueError as error:
            raise InputError(f"{chain}: not a whole chain file ({error})") from None
        if not self._contigs:
            raise InputError(f"{chain}: no chain in it")
        self.chain = chain
        self.tolerance = tolerance

    def interval(self, contig: str, start: int, end: int, strand: str = "+") -> Lifted | None:
        """Return [start, end) in the other assembly, or None; a minus chain flips the strand."""
        lifted = self.explain(contig, start, end, strand)
        return lifted if isinstance(lifted, Lifted) else None

    def explain(self, contig: str, start: int, end: int, strand: str = "+") -> Lifted | Unlifted:
        """Return [start, end) in the other assembly, or why it has no counterpart there."""
        if start >= end or strand not in ("+", "-"):
            raise InputError(f"{contig}:{start}-{end} ({strand}): not an interval with a strand")
        if contig not in self._contigs:
            return Unlifted.unmapped
        ends = [self._contigs[contig][position] for position in (start, end - 1)]
        if not all(ends):
            return Unlifted.unmapped
        if max(map(len, ends)) > 1:
            return Unlifted.several
        (one, first, along), (other, last, also) = ends[0][0], ends[1][0]
        if one != other:
            return Unlifted.contigs
        if along == "-":
            first, last = last, first
        if along != also or first > last:
            return Unlifted.apart
        if abs(last + 1 - first - (end - start)) > self.tolerance:
            return Unlifted.length
        return Lifted(one, first, last + 1, "+" if along == strand else "-")


def lift_coordinates(table: Path, chain: Path, out: Path, *, tolerance: int = 0) -> Path:
    """Write a table of windows in the coordinates of another assembly, without what has none there.

    All other columns stay as they are. Windows have no strand: those that a minus chain takes
    over stand for the other strand afterwards, and are counted in the log.

    Args:
        table: `<split>_<assembly>_coords_targets.csv`, plain or gzip.
        chain: chain file from the assembly of `table` to that of `out`.
        out: CSV to write; gzipped if its name ends in .gz.
        tolerance: nucleotides by which the length of a window may change.

    Raises:
        InputError: a file is damaged or malformed, or not one row can be lifted.
    """
    lift = Lift(chain, tolerance=tolerance)
    counts: Counter[str] = Counter()
    with write_csv(out) as file:
        for line in _lift_lines(table, lift, counts):
            file.write(line.encode() + b"\n")
        if not counts["+"] + counts["-"]:
            raise InputError(
                f"{table}: not one row lifts by {chain}; a chain file is from one assembly to "
                "the other, and names contigs as the table does"
            )
    _LOG.info(
        "%s: %d windows lifted, %d of them to the minus strand; left out: %s",
        table,
        counts["+"] + counts["-"],
        counts["-"],
        "; ".join(f"{counts[why]} as {why}" for why in Unlifted if counts[why]) or "none",
    )
    return out


def _lift_lines(table: Path, lift: Lift, counts: Counter[str]) -> Iterator[str]:
    """Yield the header and the rows that lift; count rows by strand or by why they do not."""
    lines = read_lines(table)
    _, header = next(lines)
    columns = _Columns.find(header, table)
    yield header
    for number, line in lines:
        if not line:
            continue
        fields, interval = columns.read(line, where=f"{table}, line {number}")
        lifted = lift.explain(*interval)
        if isinstance(lifted, Lifted) and columns.numbered and lifted.contig not in CHROMOSOMES:
            lifted = Unlifted.unnamed
        if isinstance(lifted, Unlifted):
            counts[lifted] += 1
        else:
            counts[lifted.strand] += 1
            yield columns.format(fields, lifted)


class _Columns(NamedTuple):
    """Where the coordinates stand in a row."""

    at: tuple[int, int, int]
    """Columns of contig, start and end."""
    numbered: bool
    """Whether contigs are numbers."""
    width: int
    """Columns in all."""

    @classmethod
    def find(cls, header: str, table: Path) -> "_Columns":
        columns = header.split(",")
        contig = find_contig_column(columns, table)
        for column in ("Start", "End"):
            if column not in columns:
                raise InputError(f"{table}: no column {column!r}; its header has {header[:60]}")
        at = (columns.index(contig), columns.index("Start"), columns.index("End"))
        return cls(at, contig == NUMBER_COLUMN, len(columns))

    def read(self, line: str, *, where: str) -> tuple[list[str], tuple[str, int, int]]:
        """Return the fields of a row, those behind the coordinates as one, and its interval."""
        if (count := line.count(",") + 1) != self.width:
            raise InputError(f"{where}: {count} fields between commas; the header has {self.width}")
        fields = line.split(",", max(self.at) + 1)
        contig, start, end = (fields[at] for at in self.at)
        for cell in (contig, start, end) if self.numbered else (start, end):
            if not _INTEGER.fullmatch(cell):
                raise InputError(f"{where}: {cell!r} is not an integer, as coordinates are")
        if int(start) >= int(end):
            raise InputError(f"{where}: start {start} must be below end {end}")
        if self.numbered:
            if not 0 <= int(contig) < len(CHROMOSOMES):
                raise InputError(f"{where}: Chr_No is {contig}; 0 (chr1) to 23 (chrY) are allowed")
            contig = CHROMOSOMES[int(contig)]
        return fields, (contig, int(start), int(end))

    def format(self, fields: list[str], lifted: Lifted) -> str:
        """Return the row with other coordinates."""
        contig = str(CHROMOSOMES.index(lifted.contig)) if self.numbered else lifted.contig
        for at, cell in zip(self.at, (contig, str(lifted.start), str(lifted.end)), strict=True):
            fields[at] = cell
        return ",".join(fields)
