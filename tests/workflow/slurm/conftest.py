"""Checkouts with a micro model on the cluster that `tests/workflow/slurm/cluster` starts."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from micro import configure
from micro_runs import (
    LOG,
    METRICS,
    NOTED,
    SLOW,
    Command,
    Run,
)


@pytest.fixture(scope="session", autouse=True)
def cluster() -> None:
    """Skip where the cluster has not been started; a Slurm that is not of these tests is let be."""
    sinfo = shutil.which("sinfo")
    command = [sinfo, "--noheader", "--format=%R"] if sinfo else ["true"]
    partitions = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if not {"work", "accel", "owner", "spare"} <= set(partitions.split()):
        pytest.skip("needs the cluster: tests/workflow/slurm/cluster run pytest -m slurm")


@pytest.fixture(scope="session")
def micro_checkout(new_checkout: Callable[[], Path]) -> Callable[[], Path]:
    """A function that makes a checkout of a micro model, with commands that are noted."""

    def make() -> Path:
        folder = new_checkout()
        # Checkpoints only where a job is stopped.
        configure(
            folder,
            model={"embed_dropout": 0.0, "resid_dropout": 0.0},
            pretraining={"steps": 120, "validate_every": 40, "checkpoint_every": 1000},
            finetuning={"epochs": 1, "batch_size": 16, "checkpoint_every": 1000},
            config={
                "contexts": [64],
                "seeds": [0, 1],
                "gpus": 1,
                "ask_above_gpu_hours": 100,
                "retries": 2,
            },
        )
        command = folder / "bin" / "hyenadna"
        command.parent.mkdir()
        command.write_text(NOTED.format(command=Path(sys.executable).parent / "hyenadna"))
        command.chmod(0o755)
        return folder

    return make


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Command]:
    """A function that starts Snakemake in a checkout; by default on Slurm, polled often."""
    processes = []
    slurm = ("--profile", "slurm", "--cores", "all", "--latency-wait", "5")

    def start(folder: Path, *arguments: str, profile: tuple[str, ...] = slurm) -> Run:
        polling = ("--slurm-init-seconds-before-status-checks", "5") if profile is slurm else ()
        with (folder / "output.txt").open("ab") as output:
            process = subprocess.Popen(
                ["snakemake", *profile, *polling, "--configfile", "micro.yaml", *arguments],
                cwd=folder,
                env={**environment, "PATH": f"{folder / 'bin'}:{environment['PATH']}"},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        processes.append(process)
        return Run(folder, process)

    yield start
    for process in processes:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.fixture(scope="session")
def pretrained(micro_checkout: Callable[[], Path], environment: dict[str, str]) -> Path:
    """A checkout where one process has pretrained on this machine."""
    folder = micro_checkout()
    command = ["snakemake", "--cores", "2", "--configfile", "micro.yaml", "--", METRICS]
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return folder


@pytest.fixture
def to_pretrain(pretrained: Path, tmp_path: Path) -> Path:
    """A checkout that lacks pretraining alone; the first job of it would last minutes."""
    folder = tmp_path / "checkout"
    shutil.copytree(pretrained, folder, symlinks=True)
    shutil.rmtree(folder / "results" / "pretrain")
    (folder / LOG).unlink()
    (folder / "slow").mkdir()
    (folder / "slow" / "sitecustomize.py").write_text(SLOW)
    return folder
