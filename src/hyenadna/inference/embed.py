"""Embeddings of sequences of any number and length, in constant memory.

B batch, L length of a window, D width. A sequence longer than the network's `max_seq_len` is cut
into windows side by side. No special token is added at either end: the published ones were never
trained there, and shift every embedding.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hyenadna.data.labelled import read_fasta
from hyenadna.errors import InputError
from hyenadna.genome import Genome, check_intervals, read_intervals
from hyenadna.inference.vectors import Vectors, check_format, grouped, write_vectors
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.device import resolve_device
from hyenadna.model.heads import pool
from hyenadna.tokenizer import PAD, count_letters, encode

Pooling = Literal["mean", "last", "none"]

LOOKAHEAD = 16
"""Batches' worth of windows that are read ahead, so that windows of like length share one."""

_log = logging.getLogger(__name__)


def embed(
    weights: Path,
    *,
    fasta: Path | None,
    genome: Path | None,
    intervals: Path | None,
    out: Path,
    pooling: Pooling = "mean",
    batch_tokens: int = 65_536,
    device: str = "auto",
) -> Path:
    """Write one embedding per sequence, or per nucleotide, in the order of the input.

    Args:
        weights: a model, ours or released.
        fasta: sequences, plain or gzip, with the first word of a header as id; or
        genome: indexed FASTA, together with
        intervals: BED of it; `contig:start-end`, zero-based, half-open, as id.
        out: `.parquet` with columns id, length (or position) and embedding; or `.npz` with ids,
            lengths and embeddings. All embeddings are fp32.
        pooling: mean over the sequence, that of windows being weighted by their length; the last
            nucleotide, which sees up to `max_seq_len` before it; or none, for each nucleotide,
            which sees its window up to there.
        batch_tokens: tokens per forward pass, padding included; a longer window goes alone.
        device: auto, cpu, cuda or cuda:N.

    Raises:
        InputError: a file is missing, malformed, or not what its place asks for.
    """
    check_format(out)
    network = HyenaDNA.from_pretrained(weights).to(resolve_device(device))
    counts = _Counts()
    sequences = counts.follow(_read_sequences(fasta, genome, intervals))
    vectors = embed_sequences(network, sequences, pooling=pooling, batch_tokens=batch_tokens)
    write_vectors(out, vectors, width=network.config.d_model, per_token=pooling == "none")
    counts.log()
    return out


def embed_sequences(
    network: HyenaDNA, sequences: Iterable[tuple[str, str]], *, pooling: Pooling, batch_tokens: int
) -> Iterator[Vectors]:
    """Yield the embedding of each (id, sequence) in order, or with pooling none of each window."""
    network.eval()
    windows = _windows(sequences, network.config.max_seq_len, pooling)
    lookahead = batch_tokens * (1 if pooling == "none" else LOOKAHEAD)
    total = np.zeros(network.config.d_model)
    for group in grouped(windows, weigh=lambda window: len(window.ids), least=lookahead):
        states = _run(network, group, pooling, batch_tokens)
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
    network: HyenaDNA, group: Sequence[_Window], pooling: Pooling, batch_tokens: int
) -> list[NDArray[np.float32]]:
    """Return for each window its pooled state (1, D), or its states (L, D)."""
    states: list[NDArray[np.float32]] = [np.empty(0, dtype=np.float32)] * len(group)
    by_length = sorted(range(len(group)), key=lambda index: len(group[index].ids))
    while by_length:
        size = max(1, batch_tokens // len(group[by_length[-1]].ids))
        by_length, batch = by_length[:-size], by_length[-size:]
        found = _forward(network, [group[index].ids for index in batch], pooling)
        for index, vectors in zip(batch, found, strict=True):
            states[index] = vectors.cpu().numpy()
    return states


@torch.inference_mode()
def _forward(
    network: HyenaDNA, sequences: Sequence[NDArray[np.uint8]], pooling: Pooling
) -> list[Tensor]:
    """Return (1, D) or (L, D) of each sequence, run together as one right-padded batch."""
    device = next(network.parameters()).device
    lengths = [len(ids) for ids in sequences]
    padded = np.full((len(sequences), max(lengths)), PAD, dtype=np.uint8)
    for line, ids in zip(padded, sequences, strict=True):
        line[: len(ids)] = ids
    hidden = network.hidden_states(torch.from_numpy(padded).to(device)).float()  # (B, L, D)
    if pooling == "none":
        return [of[:length] for of, length in zip(hidden, lengths, strict=True)]
    pooled = pool(hidden, torch.tensor(lengths, device=device), pooling)
    return list(pooled[:, None])


def _read_sequences(
    fasta: Path | None, genome: Path | None, intervals: Path | None
) -> Iterator[tuple[str, str]]:
    """Yield (id, sequence) as written, soft-masking kept."""
    if fasta is not None and genome is None and intervals is None:
        for record in read_fasta(fasta):
            yield record.header.split()[0], record.sequence
    elif fasta is None and genome is not None and intervals is not None:
        source = Genome(genome)
        wanted = read_intervals(intervals)
        check_intervals(wanted, source.contigs, source=intervals)
        for interval in wanted:
            yield str(interval), source.read(interval.contig, interval.start, interval.end)
    else:
        raise InputError("give either a FASTA, or a genome together with a BED of intervals")


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
