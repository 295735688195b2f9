"""Commands that train language models, and score them by context."""

from pathlib import Path
from typing import Annotated

import typer

from hyenadna.cli.options import Device, Out, Seed, Settings, overrides_of

commands = typer.Typer()


@commands.command()
def pretrain(
    model: Annotated[Path, typer.Option(help="Model size, e.g. config/models/tiny-1k.yaml.")],
    recipe: Annotated[Path, typer.Option(help="Recipe, e.g. config/training/tiny-1k.yaml.")],
    tokens: Annotated[
        list[Path], typer.Option(help="Token cache of a genome; repeatable, with its --intervals.")
    ],
    intervals: Annotated[
        list[Path], typer.Option(help="BED: contig, start, end, train|valid|test.")
    ],
    out: Out,
    weight: Annotated[
        list[float] | None,
        typer.Option(min=0, help="Share of a genome's windows, in any unit.", show_default="1"),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    context_parallel: Annotated[
        int, typer.Option(min=1, help="Processes that share each sequence.")
    ] = 1,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write the metrics for TensorBoard too.")
    ] = False,
    wandb: Annotated[
        str | None, typer.Option(metavar="PROJECT", help="Send the metrics to Weights & Biases.")
    ] = None,
    settings: Settings = None,
) -> None:
    """Train a language model on one or more genomes; run again after a stop, it resumes.

    On several GPUs: torchrun --nproc-per-node N --no-python hyenadna pretrain ..., or by srun, one
    task a GPU. Stopped by SIGTERM, SIGINT or SIGUSR1 it saves and exits with 128 + the number.
    """
    weights = weight or [1.0] * len(tokens)
    if not len(tokens) == len(intervals) == len(weights):
        raise typer.BadParameter("--tokens, --intervals and --weight go together, one a genome")
    from hyenadna import training
    from hyenadna.model.config import ModelConfig
    from hyenadna.settings import read_yaml
    from hyenadna.training.recipe import PretrainRecipe

    typer.echo(
        training.pretrain(
            read_yaml(ModelConfig, model),
            read_yaml(PretrainRecipe, recipe, overrides_of(settings)),
            genomes=[
                training.GenomeSource(*of) for of in zip(tokens, intervals, weights, strict=True)
            ],
            out=out,
            seed=seed,
            device=device,
            context_size=context_parallel,
            monitors=training.Monitors(tensorboard=tensorboard, wandb=wandb),
        )
    )


@commands.command()
def perplexity(
    weights: Annotated[Path, typer.Option(help="Pretrained model.")],
    tokens: Annotated[Path, typer.Option(help="Token cache of the genome.")],
    intervals: Annotated[Path, typer.Option(help="BED: contig, start, end, train|valid|test.")],
    contexts: Annotated[
        str, typer.Option(metavar="N,N,...", help="Nucleotides that the model sees at once.")
    ],
    out: Out,
    split: Annotated[str, typer.Option(help="Split of the intervals to evaluate on.")] = "test",
    max_bases: Annotated[int, typer.Option(min=1, help="Most bases to evaluate on.")] = 16_777_216,
    device: Device = "auto",
) -> None:
    """Score the same bases with more and more context before them."""
    try:
        lengths = [int(number) for number in contexts.split(",")]
    except ValueError:
        raise typer.BadParameter(f"--contexts takes numbers and commas, got {contexts!r}") from None
    from hyenadna.data.corpus import GenomeSource
    from hyenadna.training.context import evaluate_contexts

    typer.echo(
        evaluate_contexts(
            weights,
            genome=GenomeSource(tokens, intervals),
            split=split,
            contexts=lengths,
            out=out,
            max_bases=max_bases,
            device=device,
        )
    )
