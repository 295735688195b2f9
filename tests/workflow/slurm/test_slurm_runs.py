"""A fresh clone on a real Slurm whose partitions have names of its own."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from micro_runs import Command, field

pytestmark = pytest.mark.slurm


def test_a_clone_with_its_partitions_named_runs_to_the_report(
    micro_checkout: Callable[[], Path], start: Command
) -> None:
    folder = micro_checkout()
    profile = folder / "profiles" / "slurm" / "config.v8+.yaml"
    named = profile.read_text().replace("# slurm_partition: gpu", "slurm_partition: accel")
    profile.write_text(named.replace("# slurm_partition: cpu", "slurm_partition: work"))

    run = start(folder)
    run.succeeds()
    assert (folder / "results" / "report.html").exists()
    start(folder).succeeds()
    assert (
        run.printed()
        .rstrip()
        .endswith("Nothing to be done (all requested files are present and up to date).")
    )

    commands = (folder / "commands.txt").read_text()
    on_gpu = set(re.findall(r"^(\S+) \d ", commands, re.MULTILINE))
    on_cpu = set(re.findall(r"^(\S+) no GPU", commands, re.MULTILINE))
    assert on_gpu == {"pretrain", "perplexity", "finetune"}
    assert on_cpu == {"genome", "tokenize", "baselines", "report"}
    partitions = {
        command: field(job, "Partition")
        for command, job in re.findall(r"^(\S+) .* of job (\d+)$", commands, re.MULTILINE)
    }
    assert {partitions[command] for command in on_gpu} == {"accel"}
    assert {partitions[command] for command in on_cpu} == {"work"}
