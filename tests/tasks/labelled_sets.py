"""Labelled sets made on the spot, and the published intervals without their genome."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from hyenadna.data.labelled import LabelledSet, Regions
from hyenadna.genome import Genome

_TYPES = {"single": np.int64, "multi": np.uint8, "regression": np.float32}


def labelled(sequences, labels, kind="single") -> LabelledSet:
    """A set of sequences; its classes or targets are called a, b, c and so on."""
    labels = np.asarray(labels, dtype=_TYPES[kind])
    count = labels.max() + 1 if kind == "single" else labels.shape[1]
    lengths = np.array([len(sequence) for sequence in sequences])
    classes = tuple("abcdefgh"[:count])
    ids = [f"s{row}" for row in range(len(sequences))]
    return LabelledSet(ids, sequences, lengths, labels, classes, kind)


class _Unread(Regions):
    """Regions of a genome that is not there: whatever reads a base gets the place instead."""

    def __getitem__(self, index: int, /) -> str:
        return f"{self.contigs[index]} {self.starts[index]}"


def located(places, labels=None, genome="genome.fa") -> LabelledSet:
    """A set of (contig, start, end) of a genome that cannot be read."""
    contigs, starts, ends = (np.array(column) for column in zip(*places, strict=True))
    return _located(contigs, starts, ends, [0] * len(starts) if labels is None else labels, genome)


def _located(contigs, starts, ends, labels, genome="genome.fa") -> LabelledSet:
    regions = _Unread(
        genomes=(Genome(Path("/nowhere") / genome),),
        source=np.zeros(len(starts), dtype=np.int64),
        contigs=np.asarray(contigs, dtype=object),
        starts=np.asarray(starts),
        ends=np.asarray(ends),
    )
    return replace(labelled([""] * len(starts), labels), sequences=regions, lengths=ends - starts)


def published(shared_data: Path, name: str, split: str) -> LabelledSet:
    """A published interval table; class i is the i-th in alphabetical order."""
    folder = shared_data / "genomic_benchmarks/intervals" / name / split
    columns = ["region", "start", "end"]
    tables = [pd.read_csv(path, usecols=columns) for path in sorted(folder.iterdir())]
    labels = np.repeat(np.arange(len(tables)), [len(of) for of in tables])
    table = pd.concat(tables)
    return _located(*(table[column].to_numpy() for column in columns), labels)
