"""Courtesy to servers: few connections at once to each, of all jobs together, and no haste."""

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hyenadna.files import try_lock

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.2


@contextmanager
def place_at(host: str, *, folder: Path, places: int) -> Iterator[None]:
    """Hold one of the places at a host; wait while other processes hold them all.

    A place is a lock on a file, which the system takes back however its holder ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        files = [
            opened.enter_context((folder / f"{host.replace(':', '_')}.{place}").open("a"))
            for place in range(places)
        ]
        if not any(map(try_lock, files)):
            _LOG.info("waiting for one of %d connections to %s", places, host)
            while not any(map(try_lock, files)):
                time.sleep(_POLL_SECONDS)
        yield


class Pace:
    """Tells how far a transfer is, now and then, and slows it down to a speed.

    Args:
        name: of the file, for the log.
        megabytes_per_second: most that is taken; 0 for all there is.
        every: seconds between two lines of the log.
    """

    def __init__(self, name: str, *, megabytes_per_second: float = 0, every: float = 10) -> None:
        self._name = name
        self._limit = megabytes_per_second * 1e6
        self._every = every
        self._started = self._told = time.monotonic()
        self._received = 0

    def count(self, received: int, *, at: int, total: int | None) -> None:
        """Take note of bytes received, which end at `at` of `total`."""
        self._received += received
        now = time.monotonic()
        if self._limit:
            time.sleep(max(0.0, self._received / self._limit - (now - self._started)))
        if now - self._told >= self._every:
            self._told = now
            speed = self._received / (now - self._started)
            whole = f" of {total / 1e6:,.1f}" if total else ""
            left = f", {(total - at) / speed:,.0f} s left" if total else ""
            _LOG.info(
                "%s: %s%s MB, %.1f MB/s%s", self._name, f"{at / 1e6:,.1f}", whole, speed / 1e6, left
            )
