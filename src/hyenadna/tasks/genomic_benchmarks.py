"""Family genomic_benchmarks: the published interval tables, or the sequences made from them.

- `data/{train,test}/<class>.csv.gz`, columns id, region, start, end, strand: intervals, zero-based
  and half-open, an empty strand being the forward one; names of contigs may follow another
  convention than the genome's (see `contig_names`);
- `data/{train,test}/<class>/<id>.txt`: one sequence a file;
- `data/{train,test}.csv.gz`, columns sequence and label or label_name, id if there is one; with
  region, start and end the items stay known by their place.

Lengths are kept as they are, and class i is the i-th name in alphabetical order throughout. What
is there for `valid` is read alike; none of the published sets has it.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from hyenadna.data.labelled import (
    LabelledSet,
    Regions,
    check_nucleotides,
    find_table,
    integers,
    read_table,
    table_stems,
)
from hyenadna.errors import InputError
from hyenadna.genome import Genome
from hyenadna.tasks.base import Benchmark, Split
from hyenadna.tasks.contig_names import match_contigs
from hyenadna.tasks.labelled_tables import number_labels, read_sequences, sort_classes

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("id", "region", "start", "end", "strand")
_PLACE = ("region", "start", "end")


@dataclass(frozen=True)
class LocatedSequences(Regions):
    """Sequences that are at hand, whose places in a genome are known too."""

    texts: NDArray[np.object_] = field(kw_only=True)
    """(N,) the sequences."""

    def __getitem__(self, index: int, /) -> str:
        return cast(str, self.texts[index])

    def take(self, rows: NDArray[np.int64]) -> "LocatedSequences":
        """Return the sequences at `rows`, in that order."""
        taken = cast(LocatedSequences, super().take(rows))
        return replace(taken, texts=self.texts[rows])


def load(benchmark: Benchmark, split: Split) -> LabelledSet:
    """Read one split, in whichever of the three layouts it is."""
    layout = _layout(benchmark)
    if layout == "table":
        return _load_table(benchmark, split)
    if layout == "texts":
        return _load_texts(benchmark, split)
    return _load_intervals(benchmark, split)


def has_validation(benchmark: Benchmark) -> bool:
    """Return whether there is a folder or a table `valid` beside train and test."""
    directory = benchmark.directory()
    return (directory / "valid").is_dir() or "valid" in table_stems(directory)


def _layout(benchmark: Benchmark) -> Literal["table", "texts", "intervals"]:
    directory = benchmark.directory()
    folder = directory / "train"
    table = "train" in table_stems(directory)
    texts = folder.is_dir() and any(path.is_dir() for path in folder.iterdir())
    intervals = folder.is_dir() and bool(table_stems(folder))
    if table + texts + intervals > 1:
        raise InputError(
            f"{directory}: train is there in two forms; keep one of train.csv, "
            "train/<class>.csv and train/<class>/"
        )
    if table:
        return "table"
    return "texts" if texts else "intervals"


def _load_intervals(benchmark: Benchmark, split: Split) -> LabelledSet:
    directory = benchmark.directory()
    folders = {part: table_stems(directory / part) for part in _parts(split)}
    classes = _same_classes(folders, source=directory)
    genomes = {label: Genome(benchmark.genome_of(label)) for label in classes}
    tables = [_read_class(benchmark, split, label, genomes[label]) for label in classes]
    labels = np.repeat(np.arange(len(classes)), [len(table) for table in tables])
    starts = np.concatenate([table["start"].to_numpy(dtype=np.int64) for table in tables])
    ends = np.concatenate([table["end"].to_numpy(dtype=np.int64) for table in tables])
    sequences = Regions(
        genomes=tuple(genomes.values()),
        source=labels,
        contigs=np.concatenate([table["region"].to_numpy(dtype=object) for table in tables]),
        starts=starts,
        ends=ends,
        reverse=np.concatenate([(table["strand"] == "-").to_numpy(dtype=bool) for table in tables]),
    )
    ids = [
        f"{label}/{name}"
        for label, table in zip(classes, tables, strict=True)
        for name in table["id"]
    ]
    return LabelledSet(ids, sequences, ends - starts, labels, classes, "single")


def _parts(split: Split) -> tuple[Split, ...]:
    """Return the splits whose classes are compared where one is read."""
    return ("train", "test", "valid") if split == "valid" else ("train", "test")


def _same_classes(found: dict[Split, list[str]], *, source: Path) -> tuple[str, ...]:
    """Return the classes of train, which every split must have."""
    train = found["train"]
    for split, classes in found.items():
        if classes != train or len(classes) < 2:
            other: Split = "test" if split == "train" else split
            raise InputError(
                f"{source}: train has classes {', '.join(train) or 'none'} and {other} has "
                f"{', '.join(found[other]) or 'none'}; both need the same two or more"
            )
    return tuple(train)


def _read_class(benchmark: Benchmark, split: Split, label: str, genome: Genome) -> "pd.DataFrame":
    """Return the checked table of one class: contigs of the genome, start and end as integers."""
    path = find_table(benchmark.directory() / split, label)
    table = read_table(path, _COLUMNS)
    table["start"] = integers(table, "start", path=path)
    table["end"] = integers(table, "end", path=path)
    contigs = match_contigs(table["region"].unique(), genome.contigs, source=str(path))
    _check(table, path, table["region"].map(contigs).map(genome.contigs))
    table["region"] = table["region"].map(contigs)
    return table


def _check(table: "pd.DataFrame", path: Path, lengths: "pd.Series") -> None:
    """Refuse the first row that cannot be cut from contigs of the given lengths.

    Slicing would shorten what runs off its contig, and the published sets have no such row: one
    that does belongs to another assembly.
    """
    problems = {
        "the genome has no such region": lengths.isna(),
        "the interval is empty or off its region": ~(
            (table["start"] >= 0) & (table["start"] < table["end"]) & (table["end"] <= lengths)
        ),
        "strand must be '+', '-' or empty": ~table["strand"].isin(["+", "-", ""]),
    }
    for problem, wrong in problems.items():
        if wrong.any():
            row = int(np.argmax(wrong.to_numpy()))
            where = "{region}:{start}-{end}({strand})".format(**table.iloc[row])
            raise InputError(
                f"{path}, line {row + 2}: {where}: {problem}; "
                "intervals and genome must be of one assembly"
            )


def _load_texts(benchmark: Benchmark, split: Split) -> LabelledSet:
    directory = benchmark.directory()
    folders = {part: _class_folders(directory / part) for part in _parts(split)}
    classes = _same_classes(folders, source=directory)
    paths = [sorted((directory / split / label).glob("*.txt")) for label in classes]
    empty = next((of for of, files in zip(classes, paths, strict=True) if not files), None)
    if empty is not None:
        raise InputError(f"{directory / split / empty}: no .txt file in it; one per sequence is")
    sequences = [_read_text(path) for files in paths for path in files]
    return LabelledSet(
        ids=[f"{path.parent.name}/{path.stem}" for files in paths for path in files],
        sequences=sequences,
        lengths=np.array([len(sequence) for sequence in sequences], dtype=np.int64),
        labels=np.repeat(np.arange(len(classes)), [len(files) for files in paths]),
        classes=classes,
        kind="single",
    )


def _class_folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such directory; a folder per class is expected there")
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def _read_text(path: Path) -> str:
    sequence = path.read_text(encoding="utf-8", errors="replace").strip()
    check_nucleotides(sequence, str(path))
    return sequence.upper()


def _load_table(benchmark: Benchmark, split: Split) -> LabelledSet:
    directory = benchmark.directory()
    train = read_sequences(find_table(directory, "train"))
    classes = sort_classes(train["label"], source=directory)
    path = find_table(directory, split)
    table = train if split == "train" else read_sequences(path)
    labels = number_labels(table["label"], classes, source=path)
    names = table["id"] if "id" in table.columns else table.index.astype(str)
    texts = table["sequence"].to_numpy(dtype=object)
    return LabelledSet(
        ids=[f"{label}/{name}" for label, name in zip(table["label"], names, strict=True)],
        sequences=_located(benchmark, table, labels, classes, path=path) or texts.tolist(),
        lengths=np.array(table["sequence"].str.len(), dtype=np.int64),
        labels=labels,
        classes=classes,
        kind="single",
    )


def _located(
    benchmark: Benchmark,
    table: "pd.DataFrame",
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    *,
    path: Path,
) -> LocatedSequences | None:
    """Return the sequences with their places, if the table has those."""
    if not set(_PLACE) <= set(table.columns):
        return None
    # No genome is opened, only told from others; where none is named, all items are of one.
    fallback = benchmark.genomes.get("", benchmark.directory())
    return LocatedSequences(
        genomes=tuple(Genome(benchmark.genomes.get(label, fallback)) for label in classes),
        source=labels,
        contigs=table["region"].to_numpy(dtype=object),
        starts=integers(table, "start", path=path),
        ends=integers(table, "end", path=path),
        texts=table["sequence"].to_numpy(dtype=object),
    )
