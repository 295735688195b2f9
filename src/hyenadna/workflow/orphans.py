"""Slurm jobs that a killed Snakemake has left behind in a folder."""

import os
import re
import subprocess
import time
from pathlib import Path

from hyenadna.errors import InputError

# How the Slurm executor names the jobs of a run, and what it says of each.
_NAME = re.compile(r"\w{8}(-\w{4}){3}-\w{12}$")
_COMMENT = "rule_"
PATIENCE = 120
"""Seconds within which cancelled jobs must end; Slurm gives them 30 to save by default."""


def cancel(folder: Path) -> list[str]:
    """Cancel the user's jobs of earlier runs in a folder, and return their numbers.

    They would write to the files that the new run makes. Training saves when it is cancelled, so
    that the new run goes on from there. No other run may be at work in the folder.

    Raises:
        InputError: they do not end.
    """
    orphans = _jobs(folder)
    if not orphans:
        return []
    subprocess.run(["scancel", *orphans], check=False)
    end = time.monotonic() + PATIENCE
    while left := _jobs(folder):
        if time.monotonic() > end:
            raise InputError(
                f"jobs of an earlier run in {folder} do not end: {' '.join(left)}; "
                "see what squeue says of them, and start again when they are gone"
            )
        time.sleep(1)
    return orphans


def _jobs(folder: Path) -> list[str]:
    """Return the numbers of jobs that Snakemake has submitted from a folder, unless they ended."""
    command = ["squeue", "--me", "--noheader", "--format=%A|%j|%k|%Z"]
    printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    rows = (line.split("|", 3) for line in printed.splitlines())
    return sorted(
        {
            number
            for number, name, comment, at in rows
            if _NAME.search(name) and comment.startswith(_COMMENT) and Path(at) == folder
            # This very run may be a job, submitted from here.
            if number != os.environ.get("SLURM_JOB_ID")
        }
    )
