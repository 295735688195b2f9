"""Splits of a benchmark by its family: validation is the family's own or cut from train."""

import hashlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Protocol, cast

from hyenadna.data.labelled import Kind, LabelledSet
from hyenadna.errors import InputError
from hyenadna.files import sha256
from hyenadna.tasks import (
    chromatin_profile,
    genomic_benchmarks,
    nucleotide_transformer,
    species,
    user_data,
)
from hyenadna.tasks.base import Benchmark, Split
from hyenadna.tasks.metrics import METRICS

MOST_FILES = 100
"""Files of a folder that are recorded one by one; a data set may have a file for each item."""
FOLD_SEED = 0
"""Decides which items make a fold: the same for all seeds, so that their folds share no item."""


class _Family(Protocol):
    def load(self, benchmark: Benchmark, split: Split) -> LabelledSet: ...

    def has_validation(self, benchmark: Benchmark) -> bool:
        """Return whether split "valid" can be loaded."""


_FAMILIES = {
    "genomic_benchmarks": genomic_benchmarks,
    "nucleotide_transformer": nucleotide_transformer,
    "chromatin_profile": chromatin_profile,
    "species": species,
    "table": user_data,
}


def load(benchmark: Benchmark, split: Split) -> LabelledSet:
    """Read one split as the family publishes it; "valid" only where it has one.

    Raises:
        InputError: the data is missing or malformed, or the family has no such split.
    """
    family = _family(benchmark)
    if split == "valid" and not family.has_validation(benchmark):
        raise InputError(
            f"benchmark {benchmark.name}: its data has no validation split; it is cut from train"
        )
    return family.load(benchmark, split)


def load_splits(
    benchmark: Benchmark,
    *,
    validation_fraction: float,
    seed: int,
    folds: int | None = None,
    select_on: Split = "valid",
) -> dict[Split, LabelledSet]:
    """Read train, valid and test; no test item ever serves to select anything.

    But for `select_on="test"`, the published protocol of data sets that have no validation split:
    "valid" is then the test split, and train is whole.

    Args:
        benchmark: of any family but biotypes.
        validation_fraction: share of train to hold out, unless the data has its own split.
        seed: decides which items are held out, or with
        folds: which of so many parts is.
        select_on: valid or test.
    """
    train, test = load(benchmark, "train"), load(benchmark, "test")
    own = _family(benchmark).has_validation(benchmark)
    if own and (folds or select_on == "test"):
        option = "folds" if folds else "select_on test"
        raise InputError(
            f"benchmark {benchmark.name}: {option} is for data without a validation split, and "
            "this has one; leave it out of the recipe"
        )
    if own:
        valid = load(benchmark, "valid")
    elif select_on == "test":
        valid = test
    elif folds:
        train, valid = train.fold(seed % folds, folds=folds, seed=FOLD_SEED)
    else:
        train, valid = train.hold_out(validation_fraction, seed=seed)
    splits: dict[Split, LabelledSet] = {"train": train, "valid": valid, "test": test}
    different = [name for name, items in splits.items() if items.classes != train.classes]
    if different:
        raise InputError(f"benchmark {benchmark.name}: {different[0]} has other targets than train")
    check_metric(benchmark, train.kind)
    return splits


def check_metric(benchmark: Benchmark, kind: Kind) -> None:
    """Refuse a headline metric that is not defined for what the items are labelled with."""
    allowed = METRICS[kind]
    if benchmark.metric not in allowed:
        sets = "sets of numbers" if kind == "regression" else f"{kind}-label sets"
        raise InputError(
            f"benchmark {benchmark.name}: metric {benchmark.metric} is not for {sets}; "
            f"choose one of {', '.join(allowed)}"
        )


def checksums(benchmark: Benchmark) -> dict[Path, str]:
    """Return the SHA-256 of every file that the items of a benchmark are read from.

    A folder of more than `MOST_FILES` is one entry: the hash of its files' names and hashes.
    """
    paths = sorted(set(_data_files(benchmark)))
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        raise InputError(
            f"benchmark {benchmark.name}: {missing} is not there; "
            "the workflow, or hyenadna genome, makes it"
        )
    found: dict[Path, str] = {}
    for folder, members in groupby(paths, key=lambda path: path.parent):
        hashes = {path: sha256(path) for path in members}
        if len(hashes) > MOST_FILES:
            lines = "".join(f"{of}  {path.name}\n" for path, of in hashes.items())
            hashes = {folder: hashlib.sha256(lines.encode()).hexdigest()}
        found |= hashes
    return found


def weight_checksums(weights: Path) -> dict[Path, str]:
    """Return the SHA-256 of a file of weights, or of the files that describe a model directory."""
    names = ("*.safetensors", "*.ckpt", "*.bin", "config.json")
    paths = [weights] if weights.is_file() else [p for name in names for p in weights.glob(name)]
    return {path: sha256(path) for path in sorted(paths)}


def _data_files(benchmark: Benchmark) -> Iterator[Path]:
    yield from benchmark.genomes.values()
    if benchmark.family == "species":
        for fasta in benchmark.genomes.values():
            yield fasta.with_name("intervals.bed")
        return
    for path in benchmark.files.values() or [benchmark.directory()]:
        yield from (file for file in [path, *path.rglob("*")] if file.is_file())


def _family(benchmark: Benchmark) -> _Family:
    if benchmark.family not in _FAMILIES:
        raise InputError(
            f"benchmark {benchmark.name}: family {benchmark.family} has no train and test split; "
            "run it with: hyenadna biotypes"
        )
    return cast(_Family, _FAMILIES[benchmark.family])
