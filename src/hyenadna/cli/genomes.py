"""Commands on genomes, and on what lies on them: before any training."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hyenadna.cli.options import Out, Seed

commands = typer.Typer()


@commands.command()
def genome(
    source: Annotated[Path, typer.Argument(help="FASTA, plain, gzip or bgzip.")],
    out: Annotated[Path, typer.Argument(help="Plain FASTA to write, with its index beside it.")],
    contigs: Annotated[
        Literal["all", "chromosomes", "numbered"],
        typer.Option(
            help="all: as named; chromosomes: those of an NCBI assembly alone, as chr1, chr2, ...; "
            "numbered: record1, record2, ..."
        ),
    ] = "all",
) -> None:
    """Check a genome, unpack it and index it."""
    from hyenadna.genome import prepare_fasta

    typer.echo(prepare_fasta(source, out, contigs=contigs))


@commands.command()
def tokenize(
    fasta: Annotated[Path, typer.Argument(help="Indexed genome, as `hyenadna genome` makes it.")],
    out: Annotated[Path, typer.Argument(help="Directory to write.")],
) -> None:
    """Make the memory-mapped token cache of a genome."""
    from hyenadna.data.token_cache import TokenCache

    cache = TokenCache.build(fasta, out)
    typer.echo(f"{out}: {sum(cache.contigs.values()):,} tokens, {len(cache.contigs)} contigs")


@commands.command()
def intervals(
    source: Annotated[Path, typer.Argument(help="Indexed FASTA, or the token cache of one.")],
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
    from hyenadna.genome import Genome

    contigs = (TokenCache.open(source) if source.is_dir() else Genome(source)).contigs
    split = whole_contigs(contigs, valid=valid, test=test or (), skip=skip or (), source=source)
    write_intervals(out, split)
    typer.echo(out)


@commands.command()
def lift(
    table: Annotated[
        Path, typer.Argument(help="Windows by coordinates: *_coords_targets.csv, plain or gzip.")
    ],
    out: Annotated[Path, typer.Argument(help="CSV to write, gzipped if its name ends in .gz.")],
    chain: Annotated[Path, typer.Option(help="Chain file from the assembly of the table.")],
    tolerance: Annotated[
        int, typer.Option(min=0, help="Nucleotides by which a window's length may change.")
    ] = 0,
) -> None:
    """Take a table of windows to another assembly; those without a counterpart are left out."""
    from hyenadna.data.liftover import lift_coordinates

    typer.echo(lift_coordinates(table, chain, out, tolerance=tolerance))


@commands.command()
def chromatin_tables(
    peaks: Annotated[
        Path, typer.Argument(help="TSV of targets: target, group and file (BED or narrowPeak).")
    ],
    genome: Annotated[Path, typer.Option(help="Indexed FASTA in the assembly of the peaks.")],
    splits: Annotated[Path, typer.Option(help="BED: contig, start, end, train|valid|test.")],
    assembly: Annotated[str, typer.Option(help="Name for the files, e.g. hg38.")],
    out: Out,
    keep: Annotated[
        str | None,
        typer.Option(
            help="Group of which a target must hold in a bin, e.g. TF.", show_default="any"
        ),
    ] = None,
    empty: Annotated[
        float, typer.Option(min=0, help="Bins without a peak to add, to each bin with one.")
    ] = 0.0,
    bin_size: Annotated[int, typer.Option("--bin", min=1, help="Nucleotides of a bin.")] = 200,
    window: Annotated[int, typer.Option(min=1, help="Nucleotides of a window.")] = 1000,
    seed: Seed = 0,
) -> None:
    """Make the tables of a chromatin profile from peaks: bins, labels, windows, splits."""
    from hyenadna.data import peaks as tables

    rule = tables.BinRule(bin_size, window, keep, empty, seed)
    typer.echo(
        tables.chromatin_tables(
            peaks, genome=genome, splits=splits, assembly=assembly, out=out, rule=rule
        )
    )
