"""The command that fetches what comes from the network."""

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer()


@commands.command()
def download(
    paths: Annotated[
        list[Path], typer.Argument(help="Files to fetch, e.g. resources/genomes/hg38.fa.gz.")
    ],
    mirror: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|URL", help="Asked first: has the same files at the same paths."
        ),
    ] = "",
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask the mirror alone, or nobody.")
    ] = False,
    connections: Annotated[
        int, typer.Option(min=1, help="Most at once to one server, of all jobs together.")
    ] = 2,
    megabytes_per_second: Annotated[
        float, typer.Option(min=0, help="Most that is taken; 0 for all there is.")
    ] = 0,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds without a byte that count as stalled.")
    ] = 60,
    table: Annotated[
        Path, typer.Option(help="Files, one per row; checksums found go beside it, *.lock.tsv.")
    ] = Path("config/downloads.tsv"),
    genomes: Annotated[Path, typer.Option(help="Genomes, one per row.")] = Path(
        "config/genomes.tsv"
    ),
) -> None:
    """Fetch files that rows of the tables name; a file that was cut goes on where it was."""
    from hyenadna import downloads

    sources = downloads.read_sources(table, genomes)
    wanted = [sources.of(path) for path in paths]
    wishes = downloads.Wishes(
        mirror=mirror,
        offline=offline,
        connections=connections,
        megabytes_per_second=megabytes_per_second,
        patience=downloads.Patience(timeout=timeout),
    )
    recorded = downloads.Recorded(table.with_suffix(".lock.tsv"))
    downloader = downloads.Downloader(recorded, wishes)
    for source in wanted:
        typer.echo(downloader.fetch(source))
