"""Options that several commands share, and what they are turned into."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from hyenadna.tasks import Benchmark

BENCHMARKS = Path("config/benchmarks.tsv")
GENOMES = Path("results/genomes")


class Split(StrEnum):
    """Parts of a benchmark."""

    train = "train"
    valid = "valid"
    test = "test"


def _check_pairs(settings: list[str] | None) -> list[str] | None:
    for setting in settings or []:
        key, equals, _ = setting.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"--set takes KEY=VALUE, got {setting!r}")
    return settings


Out = Annotated[Path, typer.Option(help="Directory to write.")]
Seed = Annotated[int, typer.Option(min=0, help="Fixes weights, batches and augmentation.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        callback=_check_pairs,
        help="Override one key of the recipe; repeatable.",
    ),
]
Transformer = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|NAME",
        help="Nucleotide Transformer or DNABERT instead: a folder, or owner/name on the hub.",
    ),
]
Task = Annotated[str, typer.Option(help="Name of a row of the table.")]
Table = Annotated[Path, typer.Option(help="Benchmarks, one per row.")]
Genomes = Annotated[Path, typer.Option(help="Folder with <genome>/genome.fa for each genome.")]

# Data of a user's own in place of a row.
EitherTask = Annotated[str | None, typer.Option("--task", help="Name of a row of the table.")]
Train = Annotated[
    Path | None,
    typer.Option(help="Labelled data of yours instead: CSV, TSV, parquet, BED or a folder."),
]
Valid = Annotated[
    Path | None, typer.Option(help="With --train: validation data; else a part of train.")
]
Test = Annotated[Path | None, typer.Option(help="With --train: test data; else a tenth of train.")]
Fasta = Annotated[
    Path | None,
    typer.Option("--genome", help="With --train: indexed FASTA that coordinates are of."),
]
Labels = Annotated[
    Literal["single", "multi", "regression"] | None,
    typer.Option("--kind", help="With --train: what the labels are, if not inferred."),
]
Headline = Annotated[
    Literal[
        "accuracy", "mcc", "f1_macro", "f1_weighted", "auroc", "auprc", "pearson", "spearman", "r2"
    ]
    | None,
    typer.Option(
        "--metric", help="With --train: headline; mcc, auroc or pearson by the kind if not given."
    ),
]


def overrides_of(settings: list[str] | None) -> dict[str, str]:
    """Split KEY=VALUE pairs."""
    return {key: value for key, _, value in (pair.partition("=") for pair in settings or [])}


def check_one_network(weights: Path | None, transformer: str | None) -> None:
    """Refuse two networks, or none."""
    if (weights is None) == (transformer is None):
        raise typer.BadParameter("give either --weights, or --transformer for a model of others")


def benchmark_of(task: str, table: Path, genomes: Path) -> "Benchmark":
    """Read a row of the table."""
    from hyenadna.tasks import read_benchmark

    return read_benchmark(task, table, genomes)
