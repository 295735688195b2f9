"""Commands that take a model, or a baseline, through a benchmark."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hyenadna.cli.options import (
    BENCHMARKS,
    GENOMES,
    Device,
    EitherTask,
    Fasta,
    Genomes,
    Headline,
    Labels,
    Out,
    Seed,
    Settings,
    Split,
    Table,
    Task,
    Test,
    Train,
    Transformer,
    Valid,
    benchmark_of,
    check_one_network,
    overrides_of,
)

if TYPE_CHECKING:
    from hyenadna.tasks import Benchmark

commands = typer.Typer()


@commands.command()
def finetune(
    recipe: Annotated[Path, typer.Option(help="Recipe, e.g. config/finetuning/table.yaml.")],
    out: Out,
    task: EitherTask = None,
    table: Table = BENCHMARKS,
    genomes: Genomes = GENOMES,
    train: Train = None,
    valid: Valid = None,
    test: Test = None,
    genome: Fasta = None,
    kind: Labels = None,
    metric: Headline = None,
    weights: Annotated[
        Path | None, typer.Option(help="Pretrained model: directory, .ckpt or .safetensors.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Network to train from random weights instead, e.g. config/models/cnn.yaml."
        ),
    ] = None,
    head_only: Annotated[
        bool, typer.Option("--head-only", help="Freeze the pretrained weights.")
    ] = False,
    seed: Seed = 0,
    device: Device = "auto",
    settings: Settings = None,
) -> None:
    """Fit a classifier for one benchmark, or your own data; select on validation, test once."""
    if (weights is None) == (model is None):
        raise typer.BadParameter("give either --weights (pretrained) or --model (from scratch)")
    from hyenadna import tasks
    from hyenadna.model.networks import read_network
    from hyenadna.settings import read_yaml
    from hyenadna.training.recipe import FinetuneRecipe

    benchmark = _row_or_own(
        task, table, genomes, {"train": train, "valid": valid, "test": test}, genome, kind, metric
    )
    overrides = benchmark.settings | overrides_of(settings)
    if head_only:
        overrides["train_backbone"] = "false"
    typer.echo(
        tasks.finetune(
            benchmark,
            read_yaml(FinetuneRecipe, recipe, overrides),
            weights=weights,
            model=read_network(model) if model else None,
            out=out,
            seed=seed,
            device=device,
        )
    )


@commands.command()
def evaluate(
    task: Task,
    weights: Annotated[Path, typer.Option(help="Directory of a fine-tuning run.")],
    out: Out,
    table: Table = BENCHMARKS,
    genomes: Genomes = GENOMES,
    split: Annotated[Split, typer.Option(help="Part of the benchmark.")] = Split.test,
    device: Device = "auto",
) -> None:
    """Score a trained classifier on one split of a benchmark."""
    from hyenadna import tasks

    benchmark = benchmark_of(task, table, genomes)
    typer.echo(
        tasks.evaluate(benchmark, weights=weights, out=out, split=split.value, device=device)
    )


@commands.command()
def baselines(
    out: Out,
    task: EitherTask = None,
    table: Table = BENCHMARKS,
    genomes: Genomes = GENOMES,
    train: Train = None,
    valid: Valid = None,
    test: Test = None,
    genome: Fasta = None,
    kind: Labels = None,
    metric: Headline = None,
) -> None:
    """Score majority, length, N, k-mers and a look-up by place on a benchmark or your own data."""
    from hyenadna import tasks

    benchmark = _row_or_own(
        task, table, genomes, {"train": train, "valid": valid, "test": test}, genome, kind, metric
    )
    typer.echo(tasks.baselines(benchmark, out=out))


@commands.command()
def biotypes(
    task: Task,
    out: Out,
    weights: Annotated[Path | None, typer.Option(help="Pretrained model.")] = None,
    transformer: Transformer = None,
    table: Table = BENCHMARKS,
    genomes: Genomes = GENOMES,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Embed genes, map them, and predict their biotype from the embedding."""
    check_one_network(weights, transformer)
    from hyenadna import tasks

    typer.echo(
        tasks.biotypes(
            benchmark_of(task, table, genomes),
            weights=weights,
            transformer=transformer,
            out=out,
            seed=seed,
            device=device,
        )
    )


@commands.command(name="in-context")
def in_context(
    task: Task,
    weights: Annotated[Path, typer.Option(help="Pretrained language model.")],
    recipe: Annotated[Path, typer.Option(help="Recipe, e.g. config/in_context/soft_prompt.yaml.")],
    out: Out,
    table: Table = BENCHMARKS,
    genomes: Genomes = GENOMES,
    seed: Seed = 0,
    device: Device = "auto",
    settings: Settings = None,
) -> None:
    """Have a language model answer with the letter of a class, by soft prompt or few shots."""
    from hyenadna import tasks
    from hyenadna.settings import read_yaml
    from hyenadna.tasks.in_context_recipe import InContextRecipe

    typer.echo(
        tasks.in_context(
            benchmark_of(task, table, genomes),
            read_yaml(InContextRecipe, recipe, overrides_of(settings)),
            weights=weights,
            out=out,
            seed=seed,
            device=device,
        )
    )


def _row_or_own(
    task: str | None,
    table: Path,
    genomes: Path,
    files: dict[str, Path | None],
    genome: Path | None,
    kind: Labels,
    metric: Headline,
) -> "Benchmark":
    """Return a row of the table, or the benchmark that a user's own files make."""
    train = files.pop("train")
    if (task is None) == (train is None):
        raise typer.BadParameter("give either --task (a row of the table) or --train (your data)")
    if train is not None:
        from hyenadna.tasks.user_data import describe

        return describe(train, **files, genome=genome, kind=kind, metric=metric)
    assert task is not None
    if any((*files.values(), genome, kind, metric)):
        raise typer.BadParameter("--valid, --test, --genome, --kind and --metric go with --train")
    return benchmark_of(task, table, genomes)
