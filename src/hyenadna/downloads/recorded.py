"""What a file was when it was first fetched, in a table that later fetches check.

For files whose checksum the tables do not give. Several jobs may record at once.
"""

import csv
import fcntl
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from hyenadna.downloads.table import Source
from hyenadna.files import write_text


class Record(NamedTuple):
    """A line of the table."""

    path: str
    url: str
    bytes: int
    sha256: str


class Recorded:
    """The table of first fetches."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, source: Source) -> Record | None:
        """Return what was recorded of a file; nothing, if that came from another address."""
        record = self._read().get(source.path)
        return record if record is not None and record.url == source.url else None

    def add(self, source: Source, *, size: int, sha256: str) -> None:
        """Record a file, in place of what is there of it from another address."""
        # The table is replaced as a whole, so that a lock on it would lock what is gone.
        with self.path.with_name(f".{self.path.name}.flock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            records = self._read()
            records[source.path] = Record(source.path, source.url, size, sha256)
            self._write(record for _, record in sorted(records.items()))

    def _read(self) -> dict[str, Record]:
        if not self.path.exists():
            return {}
        with self.path.open(newline="", encoding="utf-8") as file:
            return {
                row["path"]: Record(row["path"], row["url"], int(row["bytes"]), row["sha256"])
                for row in csv.DictReader(file, delimiter="\t")
            }

    def _write(self, records: Iterable[Record]) -> None:
        lines = ["\t".join(Record._fields), *("\t".join(map(str, record)) for record in records)]
        write_text(self.path, "\n".join(lines) + "\n")
