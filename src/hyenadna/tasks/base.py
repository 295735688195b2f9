"""A benchmark: one row of the table of benchmarks, and its labelled splits."""

import csv
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from hyenadna.data.labelled import Kind
from hyenadna.errors import InputError
from hyenadna.settings import Settings, parse

Split = Literal["train", "valid", "test"]
Family = Literal[
    "genomic_benchmarks",
    "nucleotide_transformer",
    "chromatin_profile",
    "species",
    "table",
    "biotypes",
]
Metric = Literal[
    "accuracy",
    "mcc",
    "f1_macro",
    "f1_weighted",
    "auroc",
    "auprc",
    "auroc_median",
    "auprc_median",
    "pearson",
    "spearman",
    "r2",
]

COLUMNS = ("benchmark", "family", "data", "genomes", "metric")
"""Columns that the table of benchmarks must have; length, settings, description may follow."""


class Benchmark(Settings):
    """A set of labelled sequences and how success on it is measured."""

    name: str
    """Name in the table and in result paths."""
    family: Family
    """Format of the data, that is the module of `hyenadna.tasks` that reads it."""
    data: Path | None = None
    """Directory of tables or, for biotypes, a GTF of genes; none for species."""
    genomes: dict[str, Path]
    """FASTA to cut from, per class; key "" stands for every class."""
    metric: Metric
    """Headline: selects the weights on the validation split, and heads the report."""
    length: int | None = None
    """Nucleotides per window, where the family cuts windows, each with a default; else unused."""
    files: dict[Split, Path] = Field(default_factory=dict)
    """Family table: the file of each split, where they are not in one folder."""
    kind: Kind | None = None
    """Family table: what the labels are; inferred from them if not given."""
    settings: dict[str, str] = Field(default_factory=dict)
    """Values of the recipe that this data set was tuned to."""
    description: str = ""
    """One line for the report."""

    @field_validator("length")
    @classmethod
    def _is_positive(cls, length: int | None) -> int | None:
        if length is not None and length < 1:
            raise ValueError(f"a window has at least 1 nucleotide, got {length}")
        return length

    def identity(self) -> dict[str, Any]:
        """Return what a result depends on besides the content of the files, as plain values."""
        genomes = {label: fasta.parent.name for label, fasta in self.genomes.items()}
        fields = self.model_dump(include={"family", "metric", "length", "kind"})
        return fields | {"genomes": genomes}

    def directory(self) -> Path:
        """Return `data`, which must be there."""
        if self.data is None or not self.data.exists():
            raise InputError(f"benchmark {self.name}: data {str(self.data or '')!r} is not there")
        return self.data

    def genome_of(self, label: str) -> Path:
        """Return the FASTA that sequences of class `label` are cut from."""
        path = self.genomes.get(label, self.genomes.get(""))
        if path is None:
            raise InputError(
                f"benchmark {self.name}: no genome for class {label!r}; column genomes "
                f"holds {', '.join(self.genomes) or 'none'}"
            )
        return path


def read_benchmark(name: str, table: Path, genomes: Path) -> Benchmark:
    """Read the row `name` of a TSV of benchmarks.

    Args:
        name: value of column `benchmark`.
        table: TSV with `COLUMNS`; `genomes` holds one genome, or `class=genome,class=genome`.
        genomes: directory with `<genome>/genome.fa` and, for species, `<genome>/intervals.bed`.
    """
    rows = _read_rows(table)
    if name not in rows:
        near = difflib.get_close_matches(name, rows, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(rows)}"
        raise InputError(f"{table}: no benchmark {name!r}; {hint}")
    row = rows[name]
    content: dict[str, Any] = {key: value for key, value in row.items() if value}
    content["name"] = content.pop("benchmark")
    content["settings"] = _parse_settings(row.get("settings", ""), source=f"{table}, {name}")
    content["genomes"] = _parse_genomes(row["genomes"], genomes, source=f"{table}, {name}")
    return parse(Benchmark, content, source=f"{table}, {name}")


def _read_rows(table: Path) -> dict[str, Mapping[str, str]]:
    """Return the rows of the table by benchmark name."""
    try:
        text = table.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{table}: no such file") from None
    reader = csv.DictReader(text.splitlines(), delimiter="\t", restkey="", restval="")
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{table}: no column {missing[0]!r}; columns are {', '.join(COLUMNS)}")
    rows: dict[str, Mapping[str, str]] = {}
    for row in reader:
        name = row["benchmark"]
        if name in rows:
            raise InputError(f"{table}, line {reader.line_num}: {name!r} is there twice")
        if "" in row:
            raise InputError(f"{table}, line {reader.line_num}: more fields than columns")
        rows[name] = row
    return rows


def _parse_genomes(cell: str, genomes: Path, *, source: str) -> dict[str, Path]:
    """Read `genome` or `class=genome,class=genome` into FASTA paths by class."""
    paths: dict[str, Path] = {}
    for part in filter(None, cell.split(",")):
        label, equals, genome = (word.strip() for word in part.rpartition("="))
        malformed = not genome or (bool(equals) and not label) or "=" in label
        if malformed or label in paths or (not equals and cell.count(",")):
            raise InputError(
                f"{source}: genomes is {cell!r}; one genome or class=genome,class=genome is allowed"
            )
        paths[label] = genomes / genome / "genome.fa"
    return paths


def _parse_settings(cell: str, *, source: str) -> dict[str, str]:
    """Read `key=value key=value`."""
    pairs = [part.partition("=") for part in cell.split()]
    wrong = next(("".join(pair) for pair in pairs if not all(pair)), None)
    if wrong is not None:
        raise InputError(f"{source}: settings has {wrong!r}; key=value key=value is allowed")
    return {key: value for key, _, value in pairs}
