"""The beginning of a file that is being fetched, and what tells whether the rest still fits it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hyenadna.errors import InputError
from hyenadna.files import try_lock, write_json


class Part:
    """A hidden `.part` beside the target, and a `.part.json` with where its bytes are from.

    Hidden, so that whoever lists the folder of a data set never takes it for one of its files.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.part")
        self._origin = target.with_name(f".{target.name}.part.json")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from fetching the same file.

        Raises:
            InputError: one does already.
        """
        self.target.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            if not try_lock(file):
                raise InputError(
                    f"{self.target} is being fetched by another process; wait for it or stop it"
                )
            try:
                yield
            finally:
                if self.path.exists() and not self.size:
                    self.path.unlink()

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size

    def version(self, url: str) -> str:
        """Return what the server said marks the file whose beginning is here, or nothing."""
        if not self._origin.exists():
            return ""
        try:
            origin = json.loads(self._origin.read_text(encoding="utf-8"))
        except ValueError:
            return ""
        return str(origin["version"]) if origin.get("url") == url else ""

    def begin(self, url: str, version: str) -> None:
        """Empty the part: what follows is from `url`, of the version given."""
        # First without an origin: bytes of one file must never stand beside the mark of another.
        self._origin.unlink(missing_ok=True)
        self.path.write_bytes(b"")
        write_json(self._origin, {"url": url, "version": version})

    def append(self) -> BinaryIO:
        """Open the part to go on at its end, unbuffered: a killed process loses no bytes."""
        return self.path.open("ab", buffering=0)

    def discard(self) -> None:
        """Empty the part; its file stays, as it is what is locked."""
        self._origin.unlink(missing_ok=True)
        self.path.write_bytes(b"")

    def publish(self) -> None:
        """Make the part the target."""
        self.path.replace(self.target)
        self._origin.unlink(missing_ok=True)
