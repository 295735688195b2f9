"""What would stop a run of the workflow hours later, looked for before its first job."""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO

from hyenadna.errors import InputError
from hyenadna.files import try_lock

PROBE = 2**20
"""Bytes that are written to see if a folder takes any."""
PASSING = ("not available (", "busy")
"""What Slurm says of nodes and partitions that will be back."""
PATIENCE = 60
"""Seconds within which Slurm must answer."""


def hold(folder: Path) -> None:
    """Keep a folder of a run for this process until it ends.

    Raises:
        InputError: another process has it, or one of another machine had it and never let go. The
            lock of a process that was killed here is gone with it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.lock"
    file = path.open("a+")
    locked = _lock(file)
    file.seek(0)
    host, _, process = file.read().strip().partition(" ")
    if locked is False:
        raise InputError(
            f"another run works in {folder.absolute().parent} ({host}, {process}); "
            "wait for it or stop it, or run elsewhere with --directory"
        )
    if host and (locked is None or host != socket.gethostname()):
        raise InputError(
            f"a run ({host}, {process}) has not ended in order and may still work in "
            f"{folder.absolute().parent}; if it does not: rm {path}"
        )
    started = datetime.now().astimezone().isoformat(" ", "minutes")
    _record(file, f"{socket.gethostname()} process {os.getpid()}, since {started}\n")
    atexit.register(_record, file, "")


def _lock(file: IO[str]) -> bool | None:
    """Return whether a file is locked for this process, or None where there are no locks."""
    try:
        return try_lock(file)
    except OSError:
        return None


def _record(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()


def check_folders(paths: Iterable[Path], *, room: int) -> None:
    """See that files can be written where they belong.

    Args:
        paths: files to be made.
        room: bytes that must be free on each disk.

    Raises:
        InputError: a folder takes no file, or its disk has less room.
    """
    for folder in sorted({_existing(path.parent) for path in paths}):
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"\0" * PROBE)
        except OSError as error:
            raise InputError(
                f"{folder.absolute()}: nothing can be written there ({error.strerror}); make room "
                "or allow it, put a link to a better place there, or run elsewhere with --directory"
            ) from None
        free = shutil.disk_usage(folder).free
        if free < room:
            raise InputError(
                f"{folder.absolute()}: {free / 1e9:.1f} GB are free there and at least "
                f"{room / 1e9:.1f} GB are needed; make room, or put a link to a larger disk there"
            )


def _existing(folder: Path) -> Path:
    """Return a folder, or what is there of those above it."""
    while not folder.exists():
        folder = folder.parent
    return folder


def check_slurm(jobs: Iterable[tuple[str, Mapping[str, object]]], *, profile: str) -> None:
    """See that Slurm would take the jobs, by asking it.

    Args:
        jobs: rule and what the job asks for: options of `sbatch`, without dashes.
        profile: file in which partition and account are set.

    Raises:
        InputError: it would refuse one, there is no Slurm, or it does not answer.
    """
    asked = set()
    for rule, options in jobs:
        words = tuple(f"--{name}={value}" for name, value in options.items() if value)
        if words not in asked:
            asked.add(words)
            _ask_slurm(rule, words, profile)


def _ask_slurm(rule: str, words: tuple[str, ...], profile: str) -> None:
    done = _run("sbatch", "--test-only", "--wrap=true", *words)
    said = done.stderr.strip().rpartition("\n")[2]
    reason = said.removeprefix("sbatch: error: ").removeprefix("allocation failure: ")
    if done.returncode == 0 or any(passing in reason for passing in PASSING):
        return
    partitions = " ".join(_run("sinfo", "--noheader", "--format=%R").stdout.split())
    raise InputError(
        f"Slurm would refuse the jobs of rule {rule} ({' '.join(words)}): {reason}; its partitions "
        f"are {partitions or 'unknown'}; set partition, account and resources in {profile}"
    )


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except FileNotFoundError:
        raise InputError(
            f"there is no {command[0]} here; start the run where Slurm is, or leave out "
            "--profile slurm"
        ) from None
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{command[0]} has not answered for {PATIENCE} s; try again when Slurm is up"
        ) from None
