"""Files that are either whole or not there: atomic writes, JSON, checksums, locks."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hyenadna.errors import InputError


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes `path` if the body succeeds and vanishes if not.

    The body may make a file or a directory there. A file replaces a file in one step; a directory
    replaces a directory, which is moved aside first and back if that fails.

    Raises:
        InputError: the one would replace the other.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    workspace = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    # The suffix is kept at the end: writers choose their format by it.
    part = workspace / path.name
    try:
        yield part
        sync(part)
        _replace(part, path, aside=workspace / "replaced")
        _sync_entry(path.parent)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, keys in the order given."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def try_lock(file: IO[Any]) -> bool:
    """Lock an open file for this process until it ends, and return whether no other has it.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync(path: Path) -> None:
    """Flush a file, or all that a directory holds, to disk."""
    if path.is_dir():
        for child in path.iterdir():
            sync(child)
    _sync_entry(path)


def _replace(part: Path, path: Path, *, aside: Path) -> None:
    """Put `part` where `path` is, or leave `path` as it was."""
    if path.exists() and path.is_dir() != part.is_dir():
        kinds = ("a directory", "a file") if path.is_dir() else ("a file", "a directory")
        raise InputError(f"{path} is {kinds[0]}, and {kinds[1]} is to be written; choose another")
    if not path.is_dir():
        part.replace(path)
        return
    path.rename(aside)
    try:
        part.replace(path)
    except BaseException:
        aside.rename(path)
        raise


def _sync_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
