"""What is said of the code that ran."""

import shutil
import subprocess
import sys
from pathlib import Path

from hyenadna import source

SAY = "import source; print(source.commit())"


def said(folder: Path) -> str:
    """Return the commit that a copy of the module in a folder tells."""
    command = [sys.executable, "-c", SAY]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_commit_is_that_of_the_checkout_and_says_if_files_have_changed(tmp_path: Path) -> None:
    copy = shutil.copy(source.__file__, tmp_path)
    git(tmp_path, "init")
    git(tmp_path, "add", "source.py")
    git(tmp_path, "commit", "--message", "first")
    assert said(tmp_path) == git(tmp_path, "rev-parse", "HEAD")
    Path(copy).write_text(Path(copy).read_text() + "\n")
    assert said(tmp_path) == git(tmp_path, "rev-parse", "HEAD") + "-dirty"


def test_package_that_lies_in_the_repository_of_others_has_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "--message", "theirs")
    shutil.copy(source.__file__, tmp_path)
    assert not said(tmp_path)
