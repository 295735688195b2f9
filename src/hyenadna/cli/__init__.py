"""The command `hyenadna`: the only place, with `bench.commands`, that prints or reads arguments."""

import logging
import sys
from typing import Annotated

import typer

from hyenadna import __version__
from hyenadna.bench.commands import commands as _bench
from hyenadna.cli import benchmarks, downloads, genomes, models, plan, pretraining, summary
from hyenadna.errors import InputError, Interrupted

_commands = typer.Typer(
    name="hyenadna",
    help="Train HyenaDNA on any genome, fine-tune it, embed with it, and report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _part in (downloads, genomes, pretraining, benchmarks, models, summary, plan):
    _commands.add_typer(_part.commands)
_commands.add_typer(_bench)


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
