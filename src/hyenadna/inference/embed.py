"""Embeddings of sequences of any number and length, in constant memory.

L length of a window, D width. A sequence longer than the network's window is cut into windows side
by side. For HyenaDNA no special token is added at either end: the published ones were never
trained there, and shift every embedding.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import read_fasta
from hyenadna.errors import InputError
from hyenadna.genome import (
    Genome,
    bed_lines,
    check_intervals,
    read_intervals,
    reverse_complement,
)
from hyenadna.inference.embedders import Embedder, Pooling, load_embedder
from hyenadna.inference.vectors import Vectors, check_format, grouped, write_vectors
from hyenadna.model.device import resolve_device
from hyenadna.tokenizer import count_letters, encode

LOOKAHEAD = 16
"""Batches' worth of windows that are read ahead, so that windows of like length share one."""

_log = logging.getLogger(__name__)


def embed(
    sequences: Iterable[tuple[str, str]],
    *,
    weights: Path | None = None,
    transformer: str | None = None,
    out: Path,
    pooling: Pooling = "mean",
    batch_tokens: int = 65_536,
    device: str = "auto",
) -> Path:
    """Write one embedding per sequence, or per nucleotide, in the order of the input.

    Args:
        sequences: (id, sequence), such as `read_sequences` yields.
        weights: HyenaDNA, ours or released; or
        transformer: folder or hub name of a Nucleotide Transformer or DNABERT.
        out: `.parquet` with columns id, length (or position) and embedding; or `.npz` with ids,
            lengths and embeddings. All embeddings are fp32.
        pooling: mean over the sequence, that of windows being weighted by their length; the last
            nucleotide, which sees up to a window before it; or none, for each nucleotide, which
            sees its window up to there. Other transformers have the mean alone.
        batch_tokens: nucleotides per forward pass, padding included; a longer window goes alone.
        device: auto, cpu, cuda or cuda:N.

    Raises:
        InputError: a file is missing, malformed, or not what its place asks for.
    """
    check_format(out)
    embedder = load_embedder(weights, transformer, device=resolve_device(device))
    if pooling not in embedder.poolings:
        raise InputError(
            f"pooling {pooling!r} is for HyenaDNA, whose tokens are nucleotides and see what is "
            f"before them; for another transformer choose {', '.join(embedder.poolings)}"
        )
    counts = _Counts()
    vectors = embed_sequences(
        embedder, counts.follow(sequences), pooling=pooling, batch_tokens=batch_tokens
    )
    write_vectors(out, vectors, width=embedder.width, per_token=pooling == "none")
    counts.log()
    return out


def embed_sequences(
    embedder: Embedder,
    sequences: Iterable[tuple[str, str]],
    *,
    pooling: Pooling,
    batch_tokens: int,
) -> Iterator[Vectors]:
    """Yield the embedding of each (id, sequence) in order, or with pooling none of each window."""
    windows = _windows(sequences, embedder.window, pooling)
    lookahead = batch_tokens * (1 if pooling == "none" else LOOKAHEAD)
    total = np.zeros(embedder.width)
    for group in grouped(windows, weigh=lambda window: len(window.ids), least=lookahead):
        states = _run(embedder, group, pooling, batch_tokens)
        for window, vectors in zip(group, states, strict=True):
            if pooling == "none":
                yield Vectors(window.name, window.start, window.end, vectors)
                continue
            weight = 1 if pooling == "last" else len(window.ids) / window.length
            total += weight * vectors[0]
            if window.end == window.length:
                yield Vectors(window.name, 0, window.length, total[None].astype(np.float32))
                total[:] = 0


class _Window(NamedTuple):
    name: str
    start: int
    ids: NDArray[np.uint8]
    length: int
    """Of the whole sequence."""

    @property
    def end(self) -> int:
        return self.start + len(self.ids)


def _windows(
    sequences: Iterable[tuple[str, str]], longest: int, pooling: Pooling
) -> Iterator[_Window]:
    for name, sequence in sequences:
        ids = encode(sequence)
        # The last nucleotide sees as much as it can, not what a cut happens to leave.
        first = max(0, len(ids) - longest) if pooling == "last" else 0
        for start in range(first, len(ids), longest):
            yield _Window(name, start, ids[start : start + longest], len(ids))


def _run(
    embedder: Embedder, group: Sequence[_Window], pooling: Pooling, batch_tokens: int
) -> list[NDArray[np.float32]]:
    """Return for each window its pooled state (1, D), or its states (L, D)."""
    states: list[NDArray[np.float32]] = [np.empty(0, dtype=np.float32)] * len(group)
    by_length = sorted(range(len(group)), key=lambda index: len(group[index].ids))
    while by_length:
        size = max(1, batch_tokens // len(group[by_length[-1]].ids))
        by_length, batch = by_length[:-size], by_length[-size:]
        found = embedder.embed_batch([group[index].ids for index in batch], pooling)
        for index, vectors in zip(batch, found, strict=True):
            states[index] = vectors
    return states


def read_sequences(
    *, fasta: Path | None = None, genome: Path | None = None, intervals: Path | None = None
) -> Iterator[tuple[str, str]]:
    """Yield (id, sequence) as written, soft-masking kept.

    Args:
        fasta: sequences, plain or gzip, with the first word of a header as id; or
        genome: indexed FASTA, together with
        intervals: BED of it, whose column 6 is the strand; `contig:start-end`, zero-based,
            half-open, is the id, with (-) behind it on the reverse strand.
    """
    if fasta is not None and genome is None and intervals is None:
        for record in read_fasta(fasta):
            yield record.header.split()[0], record.sequence
    elif fasta is None and genome is not None and intervals is not None:
        source = Genome(genome)
        wanted = read_intervals(intervals)
        check_intervals(wanted, source.contigs, source=intervals)
        for interval, strand in zip(wanted, _read_strands(intervals), strict=True):
            sequence = source.read(interval.contig, interval.start, interval.end)
            if strand == "-":
                yield f"{interval}(-)", reverse_complement(sequence)
            else:
                yield str(interval), sequence
    else:
        raise InputError("give either a FASTA, or a genome together with a BED of intervals")


def _read_strands(bed: Path) -> Iterator[str]:
    """Yield column 6 of each interval of a BED, "." where there is none."""
    for number, line in bed_lines(bed):
        fields = line.split("\t")
        strand = fields[5].strip() if len(fields) > 5 else "."
        if strand not in ("+", "-", "."):
            raise InputError(f"{bed}, line {number}: strand is {strand!r}; +, - or . is allowed")
        yield strand


class _Counts:
    """Counts what the tokens do not keep of the sequences."""

    def __init__(self) -> None:
        self.sequences = self.nucleotides = 0
        self.letters: Counter[str] = Counter()

    def follow(self, sequences: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Pass sequences through, counting."""
        for name, sequence in sequences:
            self.sequences += 1
            self.nucleotides += len(sequence)
            self.letters.update(count_letters(sequence.encode()))
            yield name, sequence

    def log(self) -> None:
        """Say what was read."""
        _log.info(
            "%d sequences, %d nucleotides: %d lower-case read as upper, %d N, %d others as N",
            self.sequences,
            self.nucleotides,
            *(self.letters[kind] for kind in ("soft_masked", "N", "iupac")),
        )
