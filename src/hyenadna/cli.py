"""The command `hyenadna`: the only place, with `bench.commands`, that prints or reads arguments."""

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hyenadna import __version__
from hyenadna.bench.commands import commands as _bench
from hyenadna.errors import InputError, Interrupted

if TYPE_CHECKING:
    from hyenadna.tasks import Benchmark

_commands = typer.Typer(
    name="hyenadna",
    help="Train HyenaDNA on any genome, fine-tune it, embed with it, and report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_commands.add_typer(_bench)


class Pooling(StrEnum):
    """How the hidden states of one sequence become its embedding."""

    mean = "mean"
    last = "last"
    none = "none"


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
Task = Annotated[str, typer.Option(help="Name of a row of the table.")]
Table = Annotated[Path, typer.Option(help="Benchmarks, one per row.")]
Genomes = Annotated[Path, typer.Option(help="Folder with <genome>/genome.fa for each genome.")]

BENCHMARKS = Path("config/benchmarks.tsv")
GENOMES = Path("results/genomes")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@_commands.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@_commands.command()
def genome(
    source: Annotated[Path, typer.Argument(help="FASTA, plain, gzip or bgzip.")],
    out: Annotated[Path, typer.Argument(help="Plain FASTA to write, with its index beside it.")],
) -> None:
    """Check a genome, unpack it and index it."""
    from hyenadna.genome import prepare_fasta

    typer.echo(prepare_fasta(source, out))


@_commands.command()
def tokenize(
    fasta: Annotated[Path, typer.Argument(help="Indexed genome, as `hyenadna genome` makes it.")],
    out: Annotated[Path, typer.Argument(help="Directory to write.")],
) -> None:
    """Make the memory-mapped token cache of a genome."""
    from hyenadna.data.token_cache import TokenCache

    cache = TokenCache.build(fasta, out)
    typer.echo(f"{out}: {sum(cache.contigs.values()):,} tokens, {len(cache.contigs)} contigs")


@_commands.command()
def intervals(
    tokens: Annotated[Path, typer.Argument(help="Token cache of the genome.")],
    out: Annotated[Path, typer.Argument(help="BED to write: whole contigs, each in one split.")],
    valid: Annotated[list[str], typer.Option(help="Contig to validate on; repeatable.")],
    test: Annotated[
        list[str] | None, typer.Option(help="Contig to test on; repeatable.", show_default="none")
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help="Contig to leave out; repeatable.", show_default="none")
    ] = None,
) -> None:
    """Split a genome by whole contigs; those that are not named are trained on."""
    from hyenadna.data.intervals import whole_contigs, write_intervals
    from hyenadna.data.token_cache import TokenCache

    cache = TokenCache.open(tokens)
    write_intervals(out, whole_contigs(cache, valid=valid, test=test or (), skip=skip or ()))
    typer.echo(out)


@_commands.command()
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
            read_yaml(PretrainRecipe, recipe, _overrides(settings)),
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


@_commands.command()
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


@_commands.command()
def finetune(
    task: Task,
    recipe: Annotated[Path, typer.Option(help="Recipe, e.g. config/finetuning/default.yaml.")],
    out: Out,
    table: Table = BENCHMARKS,
    genomes: Genomes = GENOMES,
    weights: Annotated[
        Path | None, typer.Option(help="Pretrained model: directory, .ckpt or .safetensors.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Model size to train from random weights instead.")
    ] = None,
    head_only: Annotated[
        bool, typer.Option("--head-only", help="Freeze the pretrained weights.")
    ] = False,
    seed: Seed = 0,
    device: Device = "auto",
    settings: Settings = None,
) -> None:
    """Fit a classifier for one benchmark; validate on a part of train, test once."""
    if (weights is None) == (model is None):
        raise typer.BadParameter("give either --weights (pretrained) or --model (from scratch)")
    from hyenadna import tasks
    from hyenadna.model.config import ModelConfig
    from hyenadna.settings import read_yaml
    from hyenadna.training.recipe import FinetuneRecipe

    overrides = _overrides(settings)
    if head_only:
        overrides["train_backbone"] = "false"
    typer.echo(
        tasks.finetune(
            _benchmark(task, table, genomes),
            read_yaml(FinetuneRecipe, recipe, overrides),
            weights=weights,
            model=read_yaml(ModelConfig, model) if model else None,
            out=out,
            seed=seed,
            device=device,
        )
    )


@_commands.command()
def baselines(task: Task, out: Out, table: Table = BENCHMARKS, genomes: Genomes = GENOMES) -> None:
    """Score majority, length-only and k-mer classifiers on one benchmark."""
    from hyenadna import tasks

    typer.echo(tasks.baselines(_benchmark(task, table, genomes), out=out))


@_commands.command()
def biotypes(
    task: Task,
    weights: Annotated[Path, typer.Option(help="Pretrained model.")],
    out: Out,
    table: Table = BENCHMARKS,
    genomes: Genomes = GENOMES,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Embed genes, map them, and predict their biotype from the embedding."""
    from hyenadna import tasks

    benchmark = _benchmark(task, table, genomes)
    typer.echo(tasks.biotypes(benchmark, weights=weights, out=out, seed=seed, device=device))


@_commands.command()
def embed(
    weights: Annotated[Path, typer.Option(help="Model: directory, .ckpt or .safetensors.")],
    out: Annotated[Path, typer.Option(help="File to write: .parquet or .npz.")],
    fasta: Annotated[
        Path | None, typer.Option(help="Sequences to embed, plain or compressed.")
    ] = None,
    genome: Annotated[
        Path | None, typer.Option(help="Indexed genome, together with --bed.")
    ] = None,
    bed: Annotated[Path | None, typer.Option(help="Intervals of the genome to embed.")] = None,
    pooling: Annotated[
        Pooling, typer.Option(help="mean, last, or none for one vector per nucleotide.")
    ] = Pooling.mean,
    batch_tokens: Annotated[int, typer.Option(min=1, help="Nucleotides per batch.")] = 65_536,
    device: Device = "auto",
) -> None:
    """Write embeddings of sequences or intervals."""
    if (fasta is None) == (genome is None) or (genome is None) != (bed is None):
        raise typer.BadParameter("give either --fasta, or --genome together with --bed")
    from hyenadna import inference

    typer.echo(
        inference.embed(
            weights,
            fasta=fasta,
            genome=genome,
            intervals=bed,
            out=out,
            pooling=pooling.value,
            batch_tokens=batch_tokens,
            device=device,
        )
    )


@_commands.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Released .ckpt, -hf directory or .safetensors.")],
    out: Annotated[
        Path, typer.Argument(help="Directory to write: config.json, model.safetensors.")
    ],
    filter_shift: Annotated[
        float | None, typer.Option(help="Floor of the filter's window; released files get 0.05.")
    ] = None,
    keep_positions: Annotated[
        bool, typer.Option("--keep-positions", help="Keep positions that were trained away.")
    ] = False,
) -> None:
    """Read a published checkpoint and write it as a directory of ours."""
    from hyenadna.model import checkpoint

    written = checkpoint.convert(
        source, out, filter_shift=filter_shift, keep_positions=keep_positions
    )
    typer.echo(written)


@_commands.command()
def report(
    results: Annotated[Path, typer.Option(help="Results of the workflow.")] = Path("results"),
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("results/report.html"),
) -> None:
    """Write one self-contained HTML page from a tree of results."""
    from hyenadna import report as pages

    typer.echo(pages.write(results, out))


@_commands.command()
def doctor() -> None:
    """Show versions and devices, for a bug report, and how the long convolution is computed."""
    import platform

    from hyenadna.bench.machine import describe_device, devices, installed_version

    typer.echo(f"hyenadna {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for package in ("torch", "triton", "numpy", "pyfaidx", "pysam", "pandas", "scikit-learn"):
        typer.echo(f"{package} {installed_version(package) or 'not installed'}")
    found = devices()
    for device in found:
        for line in describe_device(device):
            typer.echo(line)
    if len(found) == 1:
        typer.echo("no CUDA device")


def main() -> None:
    """Run the command line; exit 0 done, 1 input error, 2 wrong usage, 128 + N signal N."""
    logging.basicConfig(level=logging.INFO, format="hyenadna: %(message)s", stream=sys.stderr)
    try:
        _commands()
    except (InputError, OSError) as error:
        typer.echo(f"hyenadna: {error}", err=True)
        sys.exit(1)
    except Interrupted as stop:
        typer.echo(f"hyenadna: {stop}", err=True)
        sys.exit(128 + stop.signal_number)


def _benchmark(task: str, table: Path, genomes: Path) -> "Benchmark":
    from hyenadna.tasks import read_benchmark

    return read_benchmark(task, table, genomes)


def _overrides(settings: list[str] | None) -> dict[str, str]:
    """Split KEY=VALUE pairs."""
    return {key: value for key, _, value in (pair.partition("=") for pair in settings or [])}
