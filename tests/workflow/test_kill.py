"""A run that is killed anywhere and started again ends as one that was left alone."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from micro import configure

Start = Callable[..., tuple[Path, subprocess.Popen[bytes]]]
CLOCKS = ("tokens_per_second",)


@pytest.fixture
def start(new_checkout: Callable[[], Path], environment: dict[str, str]) -> Start:
    """A function that starts the workflow, in a new folder or in the one that is given."""

    def start(folder: Path | None = None) -> tuple[Path, subprocess.Popen[bytes]]:
        if folder is None:
            folder = new_checkout()
            configure(
                folder,
                pretraining={"steps": 120, "validate_every": 40, "checkpoint_every": 10},
                finetuning={"epochs": 2, "batch_size": 16, "checkpoint_every": 5},
                config={"contexts": [64, 128], "stages": ["finetune", "probe"]},
            )
        command = ["snakemake", "--configfile", "micro.yaml", "--cores", "2"]
        with (folder / "output.txt").open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return folder, process

    return start


def metrics(folder: Path) -> dict[str, list[str]]:
    """Return the lines of every metrics file, but for those that a clock decides."""
    return {
        path.relative_to(folder).as_posix(): [
            line for line in path.read_text().splitlines() if line.split("\t")[2] not in CLOCKS
        ]
        for path in sorted(folder.glob("results/**/metrics.tsv"))
        if "checkpoints" not in path.parts
    }


@pytest.mark.slow
def test_killed_run_ends_as_an_undisturbed_one(start: Start) -> None:
    began = time.monotonic()
    undisturbed, process = start()
    assert process.wait() == 0, (undisturbed / "output.txt").read_text()
    seconds = time.monotonic() - began
    expected = metrics(undisturbed)
    assert len(expected) == len(["pretrain", "context", "finetune", "probe", "baselines"])

    rng = np.random.default_rng()
    moments = np.sort(rng.uniform(0.1, 1.0, size=3)) * seconds
    folder = None
    for moment in moments:
        folder, process = start(folder)
        time.sleep(moment)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    folder, process = start(folder)
    assert process.wait() == 0, f"killed at {moments}:\n{(folder / 'output.txt').read_text()}"
    assert metrics(folder) == expected, f"killed at {moments}"
