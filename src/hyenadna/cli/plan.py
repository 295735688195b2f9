"""The command that says what a run of the workflow will take."""

import subprocess
import sys

import typer

from hyenadna.errors import InputError

commands = typer.Typer()


@commands.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Give what would be given to snakemake, as in: hyenadna plan --configfile my.yaml",
)
def plan(arguments: typer.Context) -> None:
    """Show the jobs, GPU-hours and disk of a run of the workflow, by rule, and start nothing."""
    from importlib.util import find_spec

    if find_spec("snakemake") is None:
        raise InputError("the workflow needs Snakemake; pip install 'hyenadna[workflow]'")
    # In this order, as --quiet takes all words that follow it.
    quiet = ["--quiet", "--dry-run"]
    done = subprocess.run([sys.executable, "-m", "snakemake", *quiet, *arguments.args], check=False)
    raise typer.Exit(done.returncode)
