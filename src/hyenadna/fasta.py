"""FASTA text as it streams by: what may stand in it, and other names for its records."""

import logging
import re
from pathlib import Path

from hyenadna.errors import InputError

NUCLEOTIDES = "ACGTURYSWKMBDHVN"
"""Letters of a sequence, in upper case (IUPAC)."""
_SEQUENCE_BYTES = f"{NUCLEOTIDES}{NUCLEOTIDES.lower()}\r\n".encode()
# Only headers have a '>': a check before has refused it in a sequence.
_HEADER = re.compile(rb">.*\n?")
# "... chromosome 1, whole genome shotgun sequence"; ENA writes "... chromosome: 1".
_CHROMOSOME = re.compile(rb"\bchromosome:? (\w+)")
_NO_CHROMOSOME = re.compile(
    rb"\b(?:unlocali[sz]ed|unplaced|scaffold|contig|patch)\b", re.IGNORECASE
)
_LOG = logging.getLogger(__name__)


class FastaCheck:
    """Follows FASTA text as it streams by; stops at the first name or letter that cannot be."""

    def __init__(self, source: Path, *, unique: bool = True) -> None:
        self.source = source
        self.unique = unique
        """Whether two records of one name are refused."""
        self.line = 0
        self._names: set[str] = set()
        self._contig, self._bases = "", 0
        # Every line begins with its newline here, so that "\n>" finds each header.
        self._held = b"\n"

    def feed(self, block: bytes) -> None:
        """Check the next part of the text; it must not end within a header."""
        text = self._held + block
        self._held = b"\n" if text.endswith(b"\n") else b""
        sequence, *records = text.removesuffix(b"\n").split(b"\n>")
        self._check_sequence(sequence)
        for record in records:
            header, newline, sequence = record.partition(b"\n")
            self._check_header(header)
            self._check_sequence(newline + sequence)

    def finish(self) -> None:
        """Check what only the whole text shows."""
        if not self._contig:
            raise InputError(f"{self.source}: empty; a FASTA with at least one contig is expected")
        self._check_length()

    def _check_length(self) -> None:
        if self._contig and not self._bases:
            raise InputError(f"{self.source}: contig {self._contig!r} has no sequence")

    def _check_header(self, header: bytes) -> None:
        self._check_length()
        self.line += 1
        name = re.match(rb"[!-~]+", header)
        if name is None:
            raise InputError(
                f"{self.source}, line {self.line}: a contig name in ASCII must follow '>' at once"
            )
        contig = name[0].decode()
        if self.unique and contig in self._names:
            raise InputError(
                f"{self.source}, line {self.line}: contig {contig!r} was there before; "
                "names must be unique"
            )
        self._names.add(contig)
        self._contig, self._bases = contig, 0

    def _check_sequence(self, text: bytes) -> None:
        if not self._contig:
            if text:
                raise InputError(f"{self.source}: not FASTA; its first line must start with '>'")
            return
        if strange := text.translate(None, _SEQUENCE_BYTES):
            line = self.line + text.count(b"\n", 0, text.index(strange[:1]))
            raise InputError(
                f"{self.source}, line {line}: {chr(strange[0])!r} in contig {self._contig!r} is no "
                f"nucleotide; a sequence is made of {NUCLEOTIDES}, in either case"
            )
        newlines = text.count(b"\n")
        self.line += newlines
        self._bases += len(text) - newlines - text.count(b"\r")


class Renaming:
    """Gives FASTA other names as it streams by; the old header goes on behind the new name."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self.records = 0
        self._keeps = False

    def rename(self, block: bytes) -> bytes:
        """Return the next part of the text renamed; it must be whole and end in no header."""
        kept, at = [], 0
        for header in _HEADER.finditer(block):
            if self._keeps:
                kept.append(block[at : header.start()])
            self.records += 1
            contig = self._name(header[0])
            self._keeps = contig is not None
            if contig is not None:
                kept.append(b">%s %s" % (contig.encode(), header[0][1:]))
            at = header.end()
        if self._keeps:
            kept.append(block[at:])
        return b"".join(kept)

    def finish(self) -> None:
        """Check what only the whole text shows."""

    def _name(self, header: bytes) -> str | None:
        """Return the new name of a record, or None to leave it out."""
        raise NotImplementedError


class Numbered(Renaming):
    """Names each record by its number in the file: record1, record2, ...

    For alignment blocks and the like, which repeat names, or are named apart in each genome.
    """

    def _name(self, header: bytes) -> str:
        return f"record{self.records}"


class Chromosomes(Renaming):
    """Keeps the assembled chromosomes of NCBI's FASTA, and names them chr<name>.

    There a record is named by its accession, and its header tells what it is: `CM042118.1
    Hippopotamus amphibius isolate ... chromosome 1, whole genome shotgun sequence`. Unlocalized
    and unplaced scaffolds, patches, alternates and the mitochondrion are left out.
    """

    def __init__(self, source: Path) -> None:
        super().__init__(source)
        self._headers: dict[str, str] = {}

    def finish(self) -> None:
        """Refuse a FASTA without chromosomes, and log what was kept."""
        if not self._headers:
            raise InputError(
                f"{self.source}: no header of its {self.records} records says 'chromosome <name>' "
                "as those of NCBI's assemblies do; leave out --contigs, or what stands in column "
                "contigs of the table of genomes, to keep all records"
            )
        _LOG.info(
            "%s: %d of %d records are chromosomes: %s",
            self.source,
            len(self._headers),
            self.records,
            ", ".join(self._headers),
        )

    def _name(self, header: bytes) -> str | None:
        said = _CHROMOSOME.search(header)
        if said is None or _NO_CHROMOSOME.search(header):
            return None
        contig, title = f"chr{said[1].decode()}", header[1:].decode(errors="replace").strip()
        if contig in self._headers:
            raise InputError(
                f"{self.source}: two records would be {contig}: {self._headers[contig]!r} and "
                f"{title!r}; take one of them out, or leave out --contigs"
            )
        self._headers[contig] = title
        return contig


RENAMINGS = {"chromosomes": Chromosomes, "numbered": Numbered}
"""By the name that the table of genomes and `hyenadna genome --contigs` have for it."""
