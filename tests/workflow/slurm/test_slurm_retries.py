"""How often a job is started again, and with how much memory."""

from collections.abc import Callable
from pathlib import Path

import pytest
from micro_runs import METRICS, Command, field

pytestmark = pytest.mark.slurm
LIFTED = "resources/benchmarks/lifted/train_hg38_coords_targets.csv.gz"
HUNGRY = """\
#!/bin/sh
exec python -c "import sys, time; full = b'1' * (7 * 10**8); time.sleep(3); \\
    open(sys.argv[3], 'x')" "$@"
"""
FAILING = """\
#!/bin/sh
echo "$1" >> commands.txt
exit 1
"""


@pytest.fixture
def to_lift(micro_checkout: Callable[[], Path]) -> Path:
    """A checkout with a table to lift."""
    folder = micro_checkout()
    table = folder / LIFTED.replace("hg38", "hg19")
    table.parent.mkdir(parents=True)
    table.touch()
    chain = folder / "resources" / "chains" / "hg19ToHg38.over.chain.gz"
    chain.parent.mkdir()
    chain.touch()
    return folder


def test_a_job_out_of_memory_has_twice_as_much_the_next_time(to_lift: Path, start: Command) -> None:
    (to_lift / "bin" / "hyenadna").write_text(HUNGRY)
    rule = to_lift / "workflow" / "rules" / "chromatin.smk"
    # As much as this machine need have.
    rule.write_text(rule.read_text().replace("mem_mb=doubling(4000)", "mem_mb=doubling(600)"))
    run = start(to_lift, "--", LIFTED)
    run.succeeds()
    assert [field(job, "MinMemory") for job in run.jobs()] == ["600M", "1200M"]


def test_a_job_that_fails_is_run_as_often_as_is_said(to_lift: Path, start: Command) -> None:
    (to_lift / "bin" / "hyenadna").write_text(FAILING)
    run = start(to_lift, "--", LIFTED)
    assert run.process.wait(400) == 1
    assert (to_lift / "commands.txt").read_text().split() == ["lift"] * 3


def test_pretraining_that_fails_is_run_as_often_as_is_said(
    to_pretrain: Path, start: Command
) -> None:
    (to_pretrain / "bin" / "hyenadna").write_text(FAILING)
    run = start(to_pretrain, "--config", "retries=1", "--", METRICS)
    assert run.process.wait(400) == 1
    assert (to_pretrain / "commands.txt").read_text().split() == ["pretrain"] * 2
