"""A run says what it will take before it starts, and above a limit waits for a yes."""

import os
import pty
import re
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
DEMO = ("--configfile", "config/demo.yaml")
RUN = "results/scratch/demo/demo_promoters/seed0"
# One job that may have a GPU for twelve hours.
ARGUMENTS = (*DEMO, "--config", "gpus=1", "--cores", "1", "--", f"{RUN}/metrics.tsv")
STAND_IN = f"""\
#!/bin/sh
cd {RUN} && touch model.safetensors config.json config.yaml predictions.parquet run.json metrics.tsv
"""


class Checkout(NamedTuple):
    """A fresh checkout, where a stand-in for `hyenadna` trains in no time."""

    folder: Path
    run: Callable[..., subprocess.CompletedProcess[str]]

    @property
    def started(self) -> bool:
        """Whether the job has run."""
        return (self.folder / RUN / "metrics.tsv").exists()


@pytest.fixture
def checkout(new_checkout: Callable[[], Path], snakemake: Snakemake) -> Checkout:
    """A checkout in which nothing has run."""
    folder = new_checkout()
    command = folder / "bin" / "hyenadna"
    command.parent.mkdir()
    command.write_text(STAND_IN)
    command.chmod(0o755)

    def run(*settings: str) -> subprocess.CompletedProcess[str]:
        arguments = list(ARGUMENTS)
        arguments[arguments.index("gpus=1") : arguments.index("gpus=1") + 1] = ["gpus=1", *settings]
        return snakemake(folder, *arguments, commands=command.parent)

    return Checkout(folder, run)


def test_run_above_the_limit_is_refused_where_nobody_can_be_asked(checkout: Checkout) -> None:
    refused = checkout.run("ask_above_gpu_hours=11.5")
    assert refused.returncode == 1
    (line,) = re.findall(r"^hyenadna: (.*)", refused.stdout, re.MULTILINE)
    assert "this run may take 12 GPU-hours, more than the 11.5 of ask_above_gpu_hours" in line
    assert line.endswith("--config ask_above_gpu_hours=12")
    assert not checkout.started
    assert checkout.run("ask_above_gpu_hours=12").returncode == 0
    assert checkout.started


def test_run_shows_what_it_will_take_before_it_starts(checkout: Checkout) -> None:
    printed = checkout.run("ask_above_gpu_hours=12").stdout
    table, _, jobs = printed.partition("At most: the time that each job may run")
    assert re.search(r"^finetune \(scratch\) +1 +unknown +12\.0 +unknown$", table, re.MULTILINE)
    assert "rule finetune:" in jobs
    assert "rule finetune:" not in table


@pytest.mark.parametrize(("answer", "started"), [("y", True), ("n", False), ("", False)])
def test_run_above_the_limit_starts_on_a_terminal_if_that_is_wanted(
    checkout: Checkout, environment: dict[str, str], answer: str, started: bool
) -> None:
    path = f"{checkout.folder / 'bin'}{os.pathsep}{environment['PATH']}"
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        ["snakemake", *ARGUMENTS],
        cwd=checkout.folder,
        env={**environment, "PATH": path},
        stdin=side,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(side)
    os.write(terminal, f"{answer}\n".encode())
    printed, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert "this run may take 12 GPU-hours; start it? [y/N]" in printed
    assert (process.returncode == 0) == started
    assert checkout.started == started


def test_plan_shows_what_it_would_take_and_starts_nothing(
    environment: dict[str, str], unchanged_checkout: Path
) -> None:
    planned = subprocess.run(
        ["hyenadna", "plan", *ARGUMENTS],
        cwd=unchanged_checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"^finetune \(scratch\) +1 +unknown +12\.0", planned.stdout, re.MULTILINE)
    assert not (unchanged_checkout / RUN).exists()


def test_plan_that_fails_shows_no_table(
    environment: dict[str, str], unchanged_checkout: Path
) -> None:
    failed = subprocess.run(
        ["hyenadna", "plan", *DEMO, "--", "results/no_such_file"],
        cwd=unchanged_checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 1
    assert "GB" not in failed.stdout


def test_results_that_are_only_touched_are_not_asked_for(checkout: Checkout) -> None:
    assert checkout.run("ask_above_gpu_hours=12").returncode == 0
    touched = checkout.run("ask_above_gpu_hours=0", "--touch", "--forceall")
    assert touched.returncode == 0, touched.stdout


@pytest.mark.slow
def test_full_configuration_plans_in_seconds(
    snakemake: Snakemake, unchanged_checkout: Path
) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    dry = snakemake(
        unchanged_checkout, "-n", "--quiet", "rules", "--configfile", "config/full.yaml"
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert dry.returncode == 0, dry.stdout
    jobs = re.search(r"^all +([\d,]+)", dry.stdout, re.MULTILINE)
    assert jobs
    assert int(jobs[1].replace(",", "")) > 1000
    # Of the processor and not of the clock, which other tests of CI share; 8 s of it alone.
    assert after.ru_utime - before.ru_utime < 15


def test_table_of_genomes_without_the_optional_columns_is_enough(
    new_checkout: Callable[[], Path], snakemake: Snakemake
) -> None:
    folder = new_checkout()
    genomes = folder / "config" / "genomes.tsv"
    rows = [line.split("\t") for line in genomes.read_text().splitlines()]
    optional = [rows[0].index(name) for name in ("mirror", "bytes")]
    kept = [[of for at, of in enumerate(row) if at not in optional] for row in rows]
    genomes.write_text("".join("\t".join(row) + "\n" for row in kept))
    dry = snakemake(folder, "-n", "--quiet", *DEMO)
    assert dry.returncode == 0, dry.stdout
    assert re.search(r"^\d+ GB are free here", dry.stdout, re.MULTILINE)
