"""Commands that use a model, or read one from elsewhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hyenadna.cli.options import Device, Transformer, check_one_network

commands = typer.Typer()


class Pooling(StrEnum):
    """How the hidden states of one sequence become its embedding."""

    mean = "mean"
    last = "last"
    none = "none"


@commands.command()
def embed(
    out: Annotated[Path, typer.Option(help="File to write: .parquet or .npz.")],
    weights: Annotated[
        Path | None, typer.Option(help="Model: directory, .ckpt or .safetensors.")
    ] = None,
    transformer: Transformer = None,
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
    check_one_network(weights, transformer)
    if (fasta is None) == (genome is None) or (genome is None) != (bed is None):
        raise typer.BadParameter("give either --fasta, or --genome together with --bed")
    from hyenadna import inference

    typer.echo(
        inference.embed(
            inference.read_sequences(fasta=fasta, genome=genome, intervals=bed),
            weights=weights,
            transformer=transformer,
            out=out,
            pooling=pooling.value,
            batch_tokens=batch_tokens,
            device=device,
        )
    )


@commands.command()
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
