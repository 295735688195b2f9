"""Commands that say what there is: of results, and of a machine."""

from pathlib import Path
from typing import Annotated

import typer

from hyenadna import __version__

PUBLISHED = Path("resources/published")

commands = typer.Typer()


@commands.command()
def report(
    results: Annotated[Path, typer.Option(help="Results of the workflow.")] = Path("results"),
    out: Annotated[
        Path | None,
        typer.Option(
            help="Page to write.",
            show_default="report.html among the results, or comparison.html with --compare",
        ),
    ] = None,
    published: Annotated[
        Path | None,
        typer.Option(
            help="Tables of published scores.", show_default=f"{PUBLISHED} if it is there"
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="A B", help="Put two trees of results side by side instead."),
    ] = None,
) -> None:
    """Write one self-contained HTML page from a tree of results, or from two, to compare them."""
    from hyenadna import report as pages

    if compare:
        typer.echo(pages.compare(*compare, out or Path("comparison.html")))
        return
    if published is None and PUBLISHED.is_dir():
        published = PUBLISHED
    typer.echo(pages.write(results, out or results / "report.html", published=published))


@commands.command()
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
