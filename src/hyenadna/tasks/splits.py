"""Splits of a benchmark by its family: validation is the family's own or cut from train."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast

from hyenadna.data.labelled import LabelledSet
from hyenadna.errors import InputError
from hyenadna.files import sha256
from hyenadna.tasks import chromatin_profile, genomic_benchmarks, nucleotide_transformer, species
from hyenadna.tasks.base import Benchmark, Split
from hyenadna.tasks.metrics import METRICS


class _Family(Protocol):
    HAS_VALIDATION: bool
    """Whether split "valid" can be loaded."""

    def load(self, benchmark: Benchmark, split: Split) -> LabelledSet: ...


_FAMILIES = {
    "genomic_benchmarks": genomic_benchmarks,
    "nucleotide_transformer": nucleotide_transformer,
    "chromatin_profile": chromatin_profile,
    "species": species,
}


def load(benchmark: Benchmark, split: Split) -> LabelledSet:
    """Read one split as the family publishes it; "valid" only where it has one.

    Raises:
        InputError: the data is missing or malformed, or the family has no such split.
    """
    family = _family(benchmark)
    if split == "valid" and not family.HAS_VALIDATION:
        raise InputError(
            f"benchmark {benchmark.name}: {benchmark.family} publishes no validation split; "
            "it is cut from train"
        )
    return family.load(benchmark, split)


def load_splits(
    benchmark: Benchmark, *, validation_fraction: float, seed: int
) -> dict[Split, LabelledSet]:
    """Read train, valid and test; no test item ever serves to select anything.

    Args:
        benchmark: of any family but biotypes.
        validation_fraction: share of train to hold out, unless the family has its own split.
        seed: decides which items are held out.
    """
    train, test = load(benchmark, "train"), load(benchmark, "test")
    if _family(benchmark).HAS_VALIDATION:
        valid = load(benchmark, "valid")
    else:
        train, valid = train.hold_out(validation_fraction, seed=seed)
    splits: dict[Split, LabelledSet] = {"train": train, "valid": valid, "test": test}
    different = [name for name, items in splits.items() if items.classes != train.classes]
    if different:
        raise InputError(f"benchmark {benchmark.name}: {different[0]} has other targets than train")
    allowed = METRICS[train.kind]
    if benchmark.metric not in allowed:
        raise InputError(
            f"benchmark {benchmark.name}: metric {benchmark.metric} is not for {train.kind}-label "
            f"sets; choose one of {', '.join(allowed)}"
        )
    return splits


def checksums(benchmark: Benchmark) -> dict[Path, str]:
    """Return the SHA-256 of every file that the items of a benchmark are read from."""
    paths = sorted(set(_data_files(benchmark)))
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        raise InputError(
            f"benchmark {benchmark.name}: {missing} is not there; "
            "the workflow, or hyenadna genome, makes it"
        )
    return {path: sha256(path) for path in paths}


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
    data = benchmark.directory()
    yield from (path for path in [data, *data.rglob("*")] if path.is_file())


def _family(benchmark: Benchmark) -> _Family:
    if benchmark.family not in _FAMILIES:
        raise InputError(
            f"benchmark {benchmark.name}: family {benchmark.family} has no train and test split; "
            "run it with: hyenadna biotypes"
        )
    return cast(_Family, _FAMILIES[benchmark.family])
