"""The checkout that the code runs from."""

import functools
import subprocess
from pathlib import Path


@functools.cache
def commit() -> str:
    """Return the commit of the code that runs, with `-dirty` if files have changed since.

    Empty where that is unknown: the package was installed from a wheel, or there is no git.
    """
    folder = Path(__file__).parent
    git = ["git", "-C", str(folder)]
    tracked = [*git, "ls-files", "--error-unmatch", Path(__file__).name]
    try:
        subprocess.run(tracked, capture_output=True, check=True)
        described = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        done = subprocess.run(described, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
