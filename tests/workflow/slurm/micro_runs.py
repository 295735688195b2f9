"""A micro model on Slurm: what it is, and what its runs and jobs have come to."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

# Notes each command with its GPU, and runs it; `hyenadna` in PATH is this script.
NOTED = """\
#!/bin/sh
echo "$1 ${{CUDA_VISIBLE_DEVICES-no GPU}} of job $SLURM_JOB_ID" >> commands.txt
if [ -d slow ] && mkdir slow/taken 2> /dev/null; then export PYTHONPATH="$PWD/slow"; fi
exec {command} "$@"
"""
SLOW = """\
import pathlib
import time
from torch.optim.optimizer import register_optimizer_step_post_hook


def note(*_):
    pathlib.Path("slow", "stepped").touch()
    time.sleep(2)


register_optimizer_step_post_hook(note)
"""
CLOCKS = ("tokens_per_second",)
WEIGHTS = "results/pretrain/micro/demo_worm/seed0/model.safetensors"
METRICS = WEIGHTS.replace("model.safetensors", "metrics.tsv")
LOG = "results/logs/pretrain/micro.demo_worm.seed0.log"


class Run(NamedTuple):
    """Snakemake at work in a checkout."""

    folder: Path
    process: subprocess.Popen[bytes]

    def printed(self) -> str:
        """Return what Snakemake has printed in this checkout."""
        return (self.folder / "output.txt").read_text()

    def succeeds(self) -> None:
        """Wait for the end."""
        assert self.process.wait(400) == 0, self.printed()

    def jobs(self) -> list[str]:
        """Return the Slurm numbers of the jobs that were submitted in this checkout, in order."""
        return re.findall(r"submitted with SLURM jobid (\d+)", self.printed())

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds while Snakemake runs."""
        end = time.monotonic() + 120
        while not condition():
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < end, self.printed()
            time.sleep(0.2)


def ask(folder: Path, **resources: object) -> None:
    """Have a checkout's profile ask more for pretraining than for other jobs on a GPU."""
    profile = folder / "profiles" / "slurm" / "config.v8+.yaml"
    lines = "".join(f"    {name}: {value}\n" for name, value in resources.items())
    of_all, pretrain, end = profile.read_text().partition("  pretrain: *gpu\n")
    assert pretrain
    profile.write_text(f"{of_all}  pretrain:\n    <<: *gpu\n{lines}{end}")


def trains(folder: Path) -> bool:
    """Tell whether the slow job has made a step."""
    return (folder / "slow" / "stepped").exists()


def metrics(folder: Path) -> list[str]:
    """Return the lines of pretraining's metrics, but for those that a clock decides."""
    lines = (folder / METRICS).read_text().splitlines()
    return [line for line in lines if line.split("\t")[2] not in CLOCKS]


def field(job: str, name: str) -> str:
    """Return what Slurm knows of a job, finished ones too."""
    command = ["squeue", "--noheader", "--states=all", f"--jobs={job}", f"--Format={name}:40"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


Command = Callable[..., Run]
