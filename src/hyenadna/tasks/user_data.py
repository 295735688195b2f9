"""Family table: labelled sequences of a user's own, whose kind of task is inferred from the labels.

`data` is one file whose column `split` parts it, or a folder with a file (`train.csv`, `test.csv`)
or a folder of FASTA (`train/<class>.fa`) for each split; or `files` names them. N items, K targets.
"""

import difflib
import logging
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from hyenadna.data.formats import is_fasta, stem
from hyenadna.data.labelled import Kind, LabelledSet
from hyenadna.data.tables import SPLIT_NAMES, Items, read_items, read_split_names
from hyenadna.errors import InputError
from hyenadna.genome import SPLITS, Genome
from hyenadna.tasks.base import Benchmark, Metric, Split
from hyenadna.tasks.held_out import draw_test
from hyenadna.tasks.kinds import Task, encode, infer

METRIC: dict[Kind, Metric] = {"single": "mcc", "multi": "auroc", "regression": "pearson"}
"""Headline metric where none is named; mcc, as accuracy rewards the most frequent class."""

_LOG = logging.getLogger(__name__)


class _Data(NamedTuple):
    task: Task
    sets: dict[Split, LabelledSet]
    held_out: bool
    """Whether the test items were taken from train."""


def load(benchmark: Benchmark, split: Split) -> LabelledSet:
    """Read one split; without test data, a tenth of train is kept for that, in every run the same.

    Raises:
        InputError: the data is missing or malformed, or has no such split.
    """
    data = _read(benchmark, (split,))
    if split not in data.sets:
        raise InputError(f"benchmark {benchmark.name}: no validation split; it is cut from train")
    if benchmark.kind is None and split == "train":
        _LOG.info("%s: train: %s", benchmark.name, _summarise(data))
    return data.sets[split]


def has_validation(benchmark: Benchmark) -> bool:
    """Return whether the data has validation items of its own."""
    files = _files(benchmark)
    return "valid" in files or "valid" in read_split_names(files["train"])


def describe(
    train: Path,
    *,
    valid: Path | None = None,
    test: Path | None = None,
    genome: Path | None = None,
    metric: Metric | None = None,
    kind: Kind | None = None,
) -> Benchmark:
    """Read labelled files, infer what they are for, log that in one line, and return it.

    Args:
        train: file, or folder with one FASTA per class, or folder of splits.
        valid, test: the same for the other splits, where `train` does not have them.
        genome: indexed FASTA, for files of coordinates.
        metric, kind: what is not to be inferred.

    Raises:
        InputError: the files are malformed, or their labels are of no kind.
    """
    files = _find_files(train)
    given: dict[Split, Path | None] = {"valid": valid, "test": test}
    for split, path in given.items():
        if path is not None and split in files:
            raise InputError(f"{path}: {files[split]} has {split} items already; give one of them")
        if path is not None:
            files[split] = path
    benchmark = Benchmark(
        name=_name(train),
        family="table",
        genomes={"": genome} if genome else {},
        metric=metric or "mcc",
        files=files,
        kind=kind,
    )
    data = _read(benchmark, cast(tuple[Split, ...], SPLITS))
    metric = metric or METRIC[data.task.kind]
    summary = f"{_summarise(data)}; {_summarise_splits(data)}; headline metric {metric}"
    _LOG.info("%s: %s", train.name or train, summary)
    _warn_of_rare_classes(data)
    return benchmark.replace(kind=data.task.kind, metric=metric, description=summary)


def _read(benchmark: Benchmark, wanted: Collection[Split]) -> _Data:
    """Read the splits of `wanted` that there are."""
    files = _files(benchmark)
    genome = Genome(benchmark.genome_of("")) if benchmark.genomes else None
    items = _part(read_items(files["train"], genome), files)
    # Before test items leave, so that every load infers the same.
    task = infer(items["train"], benchmark.kind)
    held_out = "test" not in files and "test" not in items
    if held_out:
        items["train"], items["test"] = _hold_out(items["train"], task)
    for split in wanted:
        if split != "train" and split in files:
            items[split] = _read_whole(files[split], split, genome)
    sets = {split: _labelled(items[split], task) for split in wanted if split in items}
    return _Data(task, sets, held_out)


def _part(items: Items, files: dict[Split, Path]) -> dict[Split, Items]:
    """Return the items of the file of train by split; all are train if it says nothing."""
    if items.splits is None:
        return {"train": items}
    parted: dict[Split, Items] = {}
    for split in cast(tuple[Split, ...], SPLITS):
        rows = np.flatnonzero(items.splits == split)
        if len(rows) and split != "train" and split in files:
            raise InputError(
                f"{items.where(int(rows[0]))}: a {split} item, and {files[split]} has those; give "
                "one of them"
            )
        if len(rows):
            parted[split] = items.take(rows)
    if "train" not in parted:
        raise InputError(f"{items.path}: no item is of split train")
    return parted


def _read_whole(path: Path, split: Split, genome: Genome | None) -> Items:
    """Read a file that holds one split only."""
    items = read_items(path, genome)
    if items.splits is not None and (items.splits != split).any():
        row = int(np.argmax(items.splits != split))
        raise InputError(
            f"{items.where(row)}: split is {items.splits[row]} in a file given for {split}"
        )
    return items


def _hold_out(train: Items, task: Task) -> tuple[Items, Items]:
    """Return the rest of train, and the test items taken from it."""
    labels = encode(train, task)
    strata = labels if task.kind == "single" else np.zeros(len(train), dtype=np.int64)
    held = draw_test(train.sequences, strata)
    all_strata, tested = np.unique(strata), np.unique(strata[held])
    trained = np.unique(strata[~held])
    if len(tested) < min(2, len(all_strata)) or len(trained) < len(all_strata):
        raise InputError(
            f"{train.path}: no test split can be held out, as too few items neither overlap nor "
            "repeat each other; add a column split, or give a file of test items"
        )
    return train.take(np.flatnonzero(~held)), train.take(np.flatnonzero(held))


def _labelled(items: Items, task: Task) -> LabelledSet:
    labels = encode(items, task)
    return LabelledSet(items.ids, items.sequences, items.lengths, labels, task.classes, task.kind)


def _files(benchmark: Benchmark) -> dict[Split, Path]:
    files = dict(benchmark.files) or _find_files(benchmark.directory())
    if "train" not in files:
        raise InputError(f"benchmark {benchmark.name}: no file of train items")
    return files


def _find_files(path: Path) -> dict[Split, Path]:
    """Return the file or folder of each split."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if not path.is_dir() or any(is_fasta(child) for child in path.iterdir()):
        return {"train": path}
    files: dict[Split, Path] = {}
    for child in sorted(path.iterdir()):
        split = cast(Split | None, SPLIT_NAMES.get(stem(child).lower()))
        if split in files:
            raise InputError(f"{child} and {files[split].name}: both are {split} items; keep one")
        if split is not None:
            files[split] = child
    if "train" not in files:
        raise InputError(
            f"{path}: one FASTA per class (<class>.fa), or train.csv (.tsv, .parquet, .bed), or a "
            f"folder train/ of FASTA is expected in it"
        )
    return files


def _name(train: Path) -> str:
    """Return the name of a file, or that of its folder if it is called train."""
    path = train.resolve()
    name = stem(path)
    return path.parent.name if name.lower() in SPLIT_NAMES else name


def _summarise(data: _Data) -> str:
    """Say what the items are and how they are labelled."""
    task, sets = data.task, data.sets.values()
    lengths = np.concatenate([items.lengths for items in sets])
    low, high = (f"{length:,}" for length in (lengths.min(), lengths.max()))
    span = low if low == high else f"{low} to {high}"
    items = f"{len(lengths):,} sequences of {span} bp"
    if task.kind == "single":
        labels = np.concatenate([items.labels for items in sets])
        counts = np.bincount(labels, minlength=len(task.classes))
        named = [f"{name} {count:,}" for name, count in zip(task.classes, counts, strict=True)]
        what = f"single-label with {len(named)} classes ({_shorten(named)})"
    else:
        what = "multi-label" if task.kind == "multi" else "regression"
        targets = "target" if len(task.classes) == 1 else "targets"
        what += f" with {len(task.classes)} {targets} ({_shorten(task.classes)})"
    return f"{items}, {what}" + (f", as {task.reason}" if task.reason else "")


def _warn_of_rare_classes(data: _Data) -> None:
    """Point out classes that not every split can have, such as those that a typo makes."""
    if data.task.kind != "single":
        return
    classes = data.task.classes
    labels = np.concatenate([items.labels for items in data.sets.values()])
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    for name, count in zip(classes, counts, strict=True):
        if count >= len(SPLITS):
            continue
        near = difflib.get_close_matches(name, [of for of in classes if of != name], n=1)
        hint = f"; is it a typo of {near[0]!r}?" if near else ""
        _LOG.warning(
            "class %r has %d item%s, too few for train, validation and test%s",
            name,
            count,
            "s" * (count > 1),
            hint,
        )


def _summarise_splits(data: _Data) -> str:
    sizes = ", ".join(f"{split} {len(items):,}" for split, items in data.sets.items())
    test = "; no test split: those were held out, the same in every run" if data.held_out else ""
    valid = "" if "valid" in data.sets else "; no validation split: it is cut from train"
    return f"{sizes}{test}{valid}"


def _shorten(names: Collection[str]) -> str:
    more = f" and {len(names) - 6:,} more" if len(names) > 6 else ""
    return ", ".join(list(names)[:6]) + more
