"""A file of the tables, fetched from where it is to be had, checked, and only then put in place."""

import gzip
import logging
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from hyenadna.downloads.courtesy import Pace, place_at
from hyenadna.downloads.part import Part
from hyenadna.downloads.recorded import Recorded
from hyenadna.downloads.table import FOLDER, Source
from hyenadna.downloads.transfer import Patience, Unavailable, transfer
from hyenadna.errors import InputError
from hyenadna.files import sha256, sync

_LOG = logging.getLogger(__name__)
_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True)
class Wishes:
    """What a user says about downloads."""

    mirror: str = ""
    """Folder or address with the same files at the same paths, asked first; or nothing."""
    offline: bool = False
    """Whether the mirror alone is asked."""
    connections: int = 2
    """Most at once to one server, over all jobs on this file system."""
    megabytes_per_second: float = 0
    """Most that one job takes; 0 for all there is."""
    patience: Patience = field(default_factory=Patience)


class Expected(NamedTuple):
    """What a file must be, as far as that is known, and who says so."""

    bytes: int | None
    sha256: str
    said_by: str


class Downloader:
    """Fetches files, and remembers what those without a checksum were at first."""

    def __init__(self, recorded: Recorded, wishes: Wishes) -> None:
        self._recorded = recorded
        self.wishes = wishes
        mirror = wishes.mirror
        if mirror and "://" not in mirror and not Path(mirror).is_dir():
            raise InputError(f"mirror: {mirror!r} is neither a folder nor an address (https://...)")

    def fetch(self, source: Source) -> str:
        """Put a file in place, unless it is there, and return a line on what it is.

        Raises:
            InputError: nobody serves it, or what is served is another file.
        """
        part = Part(source.target)
        try:
            with part.locked():
                return self._fetch(source, part)
        except OSError as error:
            at = f"{error.filename}: " if error.filename else ""
            raise InputError(
                f"{source.target}: {at}{error.strerror}; mend that, and the same command goes on"
            ) from error

    def _fetch(self, source: Source, part: Part) -> str:
        if source.target.exists():
            self._check(source, source.target)
            return f"{source.target}: is there already"
        self._receive(source, part)
        size, checksum = part.size, self._check(source, part.path)
        if not (source.sha256 or self._recorded.find(source)):
            self._recorded.add(source, size=size, sha256=checksum)
            _LOG.info("%s: sha256 recorded in %s", source.target, self._recorded.path)
        sync(part.path)
        part.publish()
        return f"{source.target}: {size:,} bytes, sha256 {checksum}"

    def _receive(self, source: Source, part: Part) -> None:
        """Bring the part to the whole of the file, from the first address that serves it."""
        problems = []
        for address in self.addresses(source):
            try:
                self._receive_from(address, source, part)
            except Unavailable as problem:
                problems.append(str(problem))
                _LOG.warning("%s", problem)
            else:
                return
        if not self.wishes.offline:
            raise InputError(
                f"{source.target} cannot be had ({source.where}): {'; '.join(problems)}"
            )
        missing = f": {problems[0]}" if problems else " and no mirror is given"
        raise InputError(
            f"{source.target} is not here, offline{missing}; "
            f"where there is internet: hyenadna download {source.target}"
        )

    def addresses(self, source: Source) -> Iterator[str]:
        """Yield where a file is looked for, in that order: addresses, or a path of a mirror."""
        if self.wishes.mirror:
            path = quote(source.path) if "://" in self.wishes.mirror else source.path
            yield f"{self.wishes.mirror.rstrip('/')}/{path}"
        if not self.wishes.offline:
            yield source.url
            if source.mirror:
                yield source.mirror

    def _receive_from(self, address: str, source: Source, part: Part) -> None:
        expected = self.expected(source)
        if "://" not in address:
            _copy(Path(address), part)
            return
        _LOG.info("%s: from %s", source.target, address)
        _check_space(part, expected.bytes)
        with place_at(
            urlsplit(address).netloc.rpartition("@")[2],
            folder=FOLDER / ".connections",
            places=self.wishes.connections,
        ):
            transfer(
                address,
                part,
                size=expected.bytes,
                pace=Pace(
                    source.target.name, megabytes_per_second=self.wishes.megabytes_per_second
                ),
                patience=self.wishes.patience,
            )

    def expected(self, source: Source) -> Expected:
        """Return what is known of a file."""
        if source.sha256:
            return Expected(source.bytes, source.sha256, source.where)
        if record := self._recorded.find(source):
            return Expected(record.bytes, record.sha256, str(self._recorded.path))
        return Expected(source.bytes, "", source.where)

    def _check(self, source: Source, path: Path) -> str:
        """Return the checksum of a file that is what it must be; a part that is not is emptied."""
        expected, size, found = self.expected(source), path.stat().st_size, sha256(path)
        if expected.bytes not in (None, size):
            problem = f"has {size:,} bytes, {expected.said_by} says {expected.bytes:,}"
        elif expected.sha256 not in ("", found):
            problem = f"has the sha256 {found}, {expected.said_by} says {expected.sha256}"
        elif not size:
            problem = "is empty"
        elif not expected.sha256 and path.name.removesuffix(".part").endswith(".gz"):
            problem = _gzip_problem(path)
        else:
            problem = ""
        if not problem:
            return found
        if path == source.target:
            raise InputError(f"{path} {problem}; take it away to fetch it again")
        Part(source.target).discard()
        raise InputError(
            f"{source.target}: what was fetched {problem}; if the file is meant to have changed, "
            f"change or take out what {expected.said_by} says of it"
        )


def _copy(file: Path, part: Part) -> None:
    """Take a file of a mirror that is a folder."""
    if not file.is_file():
        raise Unavailable(f"there is no {file}")
    _LOG.info("%s: from %s", part.target, file)
    part.discard()
    _check_space(part, file.stat().st_size)
    shutil.copyfile(file, part.path)


def _check_space(part: Part, size: int | None) -> None:
    """Refuse what the disk has no room for, before hours are spent on it."""
    free = shutil.disk_usage(part.path.parent).free
    if size is not None and size - part.size > free:
        raise InputError(
            f"{part.target} takes {size / 1e9:.2f} GB and its disk has {free / 1e9:.2f} GB left; "
            f"free some, or make {FOLDER}/{part.target.parent.name} a link to another disk"
        )


def _gzip_problem(path: Path) -> str:
    """Return what is wrong with a gzip file, or nothing."""
    try:
        with gzip.open(path) as file:
            while file.read(_BLOCK_BYTES):
                pass
    except (EOFError, OSError, zlib.error) as error:
        return f"is no whole gzip file ({error})"
    return ""
