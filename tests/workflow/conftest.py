"""A copy of the workflow to run and to break, and Snakemake as a user calls it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("Snakefile", "workflow", "config", "profiles", "slurm")

Snakemake = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Variables with which the commands beside this Python are found first."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="session")
def snakemake(environment: dict[str, str]) -> Snakemake:
    """A function that runs Snakemake in a folder; all that it prints is in `stdout`."""

    def run(
        folder: Path, *arguments: str, commands: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        path = environment["PATH"] if commands is None else f"{commands}:{environment['PATH']}"
        return subprocess.run(
            ["snakemake", *arguments],
            cwd=folder,
            env={**environment, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def new_checkout(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A function that makes a fresh checkout; only the embedded data are links."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("checkout")
        for name in COPIED:
            source = ROOT / name
            if source.is_dir() and not source.is_symlink():
                shutil.copytree(source, folder / name)
            else:
                shutil.copy2(source, folder / name, follow_symlinks=False)
        (folder / "resources").mkdir()
        (folder / "resources" / "demo").symlink_to(ROOT / "resources" / "demo")
        return folder

    return make


@pytest.fixture(scope="session")
def unchanged_checkout(new_checkout: Callable[[], Path]) -> Path:
    """A fresh checkout for dry runs."""
    return new_checkout()
