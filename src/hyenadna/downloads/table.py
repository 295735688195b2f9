"""The tables of what comes from the network: a row for each file, a genome's in its own table."""

import csv
import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hyenadna.errors import InputError

FOLDER = Path("resources")
"""What paths are relative to, here and in a mirror."""
_URL = re.compile(r"https?://[^\s/]+/\S+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Source:
    """A file, and where it is to be had."""

    path: str
    """Of the file, below `FOLDER`."""
    url: str
    mirror: str
    """Another address of the same file, or nothing."""
    bytes: int | None
    """Its size, if known."""
    sha256: str
    """Its checksum, or nothing if not known."""
    where: str
    """Table and line, for messages."""

    @property
    def target(self) -> Path:
        """Where the file is wanted."""
        return FOLDER / self.path


class Sources(Mapping[str, Source]):
    """Sources by path; a path that is in no table is refused with the one that may be meant."""

    def __init__(self, sources: Mapping[str, Source], tables: str) -> None:
        self._sources = sources
        self._tables = tables

    def __getitem__(self, path: str) -> Source:
        return self._sources[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def of(self, target: Path) -> Source:
        """Return the source of `resources/...`.

        Raises:
            InputError: no row is for that file.
        """
        wanted = Path(os.path.normpath(target))
        path = wanted.relative_to(FOLDER).as_posix() if wanted.is_relative_to(FOLDER) else ""
        if path in self:
            return self[path]
        near = difflib.get_close_matches(str(wanted), [f"{FOLDER}/{known}" for known in self], n=1)
        hint = f"did you mean {near[0]}?" if near else f"paths begin with {FOLDER}/"
        raise InputError(f"{target}: no row of {self._tables} is for this file; {hint}")


def read_sources(table: Path, genomes: Path) -> Sources:
    """Read what comes from the network out of both tables.

    Raises:
        InputError: a table lacks a column, or a row has what cannot be.
    """
    sources: dict[str, Source] = {}
    for path, where, row in (*_rows(table, "path"), *_rows(genomes, "genome")):
        if path in sources:
            raise InputError(f"{where}: {path} was there before, in {sources[path].where}")
        sources[path] = _source(path, where, row)
    return Sources(sources, f"{table} or {genomes}")


def _rows(table: Path, name: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Yield the path, the place in the table and the row of each file from the network."""
    url = "source" if name == "genome" else "url"
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, delimiter="\t", restval="")
        for column in (name, url, "sha256"):
            if column not in (reader.fieldnames or ()):
                raise InputError(f"{table}, line 1: there is no column {column!r}")
        for row in reader:
            where = f"{table}, line {reader.line_num}"
            if name == "path":
                yield row["path"], where, row
            elif "://" in row["source"]:
                path = f"genomes/{row['genome']}.fa.gz"
                yield path, where, {**row, "url": row["source"]}


def _source(path: str, where: str, row: Mapping[str, str]) -> Source:
    mirror, size = row.get("mirror", ""), row.get("bytes", "")
    for address in (row["url"], *([mirror] if mirror else [])):
        if not _URL.fullmatch(address):
            raise InputError(f"{where}: {address!r} is no address; http:// or https:// is allowed")
    if size and not size.isdecimal():
        raise InputError(f"{where}: bytes: {size!r} is no number of bytes")
    if row["sha256"] and not _SHA256.fullmatch(row["sha256"]):
        raise InputError(f"{where}: sha256: {row['sha256']!r} is no 64 hexadecimal digits")
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise InputError(f"{where}: path: {path!r} does not lie below {FOLDER}/")
    return Source(path, row["url"], mirror, int(size) if size else None, row["sha256"], where)
