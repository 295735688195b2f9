"""Sequences in and out: FASTA, lift-over, and files that are the same bytes at each run."""

import gzip
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

# Long lines cost fewer bytes after compression than the usual 60.
LINE = 1000
_COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")


def reverse_complement(sequence: str) -> str:
    """Return the other strand of a sequence over A, C, G, T; case is kept."""
    return sequence.translate(_COMPLEMENT)[::-1]


def is_acgt(sequence: str) -> bool:
    """Say whether a sequence is A, C, G, T only, in either case."""
    return re.fullmatch("[ACGTacgt]+", sequence) is not None


def read_fasta(content: bytes) -> str:
    """Return the sequence of a FASTA that holds a single record."""
    _, *records = content.decode("ascii").split(">")
    if len(records) != 1:
        raise SystemExit(f"expected a FASTA with one record, found {len(records)}")
    _, sequence = records[0].split("\n", 1)
    return sequence.replace("\n", "")


def lift(source: str, chains: str, contig: str) -> str:
    """Write the bases of an old assembly at the positions of a new one.

    Args:
        source: the contig in the old assembly.
        chains: UCSC chains from the new assembly to the old one, best first.
        contig: name of the contig, the same in both.

    Returns:
        The contig in the new assembly: N outside the blocks of the best chain of the contig
        with itself on the forward strand.
    """
    header, blocks = _best_chain(chains, contig)
    size, position, old_position = int(header[3]), int(header[5]), int(header[10])
    old = np.frombuffer(source.encode("ascii"), dtype=np.uint8)
    lifted = np.full(size, ord("N"), dtype=np.uint8)
    for length, gap, old_gap in blocks:
        lifted[position : position + length] = old[old_position : old_position + length]
        position += length + gap
        old_position += length + old_gap
    return lifted.tobytes().decode("ascii")


def _best_chain(chains: str, contig: str) -> tuple[list[str], list[tuple[int, int, int]]]:
    for chain in chains.split("chain ")[1:]:
        first, *lines = chain.strip().splitlines()
        header = f"chain {first}".split()
        if header[2] == header[7] == contig and header[4] == header[9] == "+":
            return header, [_block(line) for line in lines]
    raise SystemExit(f"no chain of {contig} with itself")


def _block(line: str) -> tuple[int, int, int]:
    """Read length and the gaps after it; the last block of a chain has a length only."""
    length, gap, old_gap = (*(int(field) for field in line.split()), 0, 0)[:3]
    return length, gap, old_gap


def write_gzip(path: Path, content: bytes) -> None:
    """Compress without time or name, so that equal content gives equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=9, mtime=0) as file:
        file.write(content)
    path.write_bytes(buffer.getvalue())


def write_fasta(path: Path, contigs: Mapping[str, str]) -> None:
    """Write contigs as a gzipped FASTA, in the order given."""
    lines: list[str] = []
    for name, sequence in contigs.items():
        lines.append(f">{name}")
        lines += [sequence[i : i + LINE] for i in range(0, len(sequence), LINE)]
    write_gzip(path, "\n".join([*lines, ""]).encode("ascii"))


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as a gzipped CSV with a header and no index."""
    write_gzip(path, table.to_csv(index=False, lineterminator="\n").encode("ascii"))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a plain text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
