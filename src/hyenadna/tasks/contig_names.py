"""Names of contigs in a table, matched to those of a genome that follows another convention.

UCSC writes chr1 and chrM, Ensembl 1 and MT, and transcripts are named with their version or
without. Published interval tables keep one convention whatever the genome has.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from hyenadna.errors import InputError

_TRANSCRIPT = re.compile(r"(ENS[A-Z]*\d{11})(?:\.(\d+))?")
_MITOCHONDRION = ("M", "MT", "MtDNA", "mitochondrion_genome")


def match_contigs(names: Iterable[str], contigs: Iterable[str], *, source: str) -> dict[str, str]:
    """Return the contig of a genome that each name stands for; names without one are left out.

    A name stands for the contig of that very name. If there is none, for the only contig that
    differs by the prefix "chr", in how the mitochondrion is called (M, MT, MtDNA or
    mitochondrion_genome), or in that one of the two Ensembl identifiers has no version.

    Args:
        names: as a table has them.
        contigs: as the genome has them.
        source: the table, for the message.

    Raises:
        InputError: two or more contigs could be meant.
    """
    exact = set(contigs)
    alike = defaultdict(list)
    for contig in exact:
        alike[_split(contig)[0]].append(contig)
    matched = {}
    for name in set(names):
        found = [name] if name in exact else _compatible(name, alike)
        if len(found) > 1:
            raise InputError(
                f"{source}: {name!r} may be {' or '.join(map(repr, sorted(found)))} of the genome; "
                "name contigs as the FASTA does"
            )
        if found:
            matched[name] = found[0]
    return matched


def _compatible(name: str, alike: Mapping[str, list[str]]) -> list[str]:
    """Return the contigs with the same bare name and no other version: that is other bases."""
    bare, version = _split(name)
    return [contig for contig in alike.get(bare, ()) if not (version and _split(contig)[1])]


def _split(name: str) -> tuple[str, str]:
    """Return a name without prefix and version, and the version or ""."""
    if transcript := _TRANSCRIPT.fullmatch(name):
        return transcript[1], transcript[2] or ""
    bare = name.removeprefix("chr")
    return ("M" if bare in _MITOCHONDRION else bare), ""
