"""Pretraining that a cluster stops goes on from its checkpoint and ends as if undisturbed."""

import re
import subprocess
from pathlib import Path

import pytest
from micro_runs import LOG, METRICS, Command, Run, ask, field, metrics, trains

pytestmark = pytest.mark.slurm


def goes_on(run: Run, undisturbed: Path) -> None:
    """Wait for the end; of two jobs, the second must have gone on from what the first has saved."""
    run.succeeds()
    assert len(run.jobs()) == 2, run.printed()
    assert re.search(r"resuming from \S+/step-0*[1-9]", (run.folder / LOG).read_text())
    assert metrics(run.folder) == metrics(undisturbed)


def test_scancel(to_pretrain: Path, pretrained: Path, start: Command) -> None:
    run = start(to_pretrain, "--", METRICS)
    run.wait_for(lambda: trains(run.folder))
    subprocess.run(["scancel", *run.jobs()], check=True)
    goes_on(run, pretrained)


def test_time_limit(to_pretrain: Path, pretrained: Path, start: Command) -> None:
    """The signal comes before the limit, at which the job would have the state TIMEOUT."""
    ask(to_pretrain, runtime=2, slurm_extra="\"'--signal=TERM@30'\"")
    run = start(to_pretrain, "--", METRICS)
    goes_on(run, pretrained)
    assert field(run.jobs()[0], "State") == "FAILED"


def test_preemption(to_pretrain: Path, pretrained: Path, start: Command) -> None:
    ask(to_pretrain, slurm_partition="spare")
    run = start(to_pretrain, "--", METRICS)
    run.wait_for(lambda: trains(run.folder))
    owner = ["sbatch", "--partition=owner", "--exclusive", "--output=/dev/null", "--wrap=sleep 5"]
    subprocess.run(owner, check=True)
    goes_on(run, pretrained)


def test_killed_controller(to_pretrain: Path, pretrained: Path, start: Command) -> None:
    run = start(to_pretrain, "--", METRICS)
    run.wait_for(lambda: trains(run.folder))
    run.process.kill()
    run.process.wait()
    goes_on(start(to_pretrain, "--", METRICS), pretrained)
