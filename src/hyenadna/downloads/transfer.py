"""One file over HTTP: it goes on where it was cut, and starts over where the file has changed."""

import logging
import re
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import hyenadna
from hyenadna.downloads.courtesy import Pace
from hyenadna.downloads.part import Part
from hyenadna.errors import InputError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

_LOG = logging.getLogger(__name__)
_BLOCK_BYTES = 1 << 20
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_BUSY = (429, 500, 502, 503, 504)
"""Answers that may be others later."""
_CONNECTS = 4
"""Attempts to reach a server at all: a name that is wrong should not take minutes to be told."""
_LONGEST_WAIT = 600
"""Seconds; also where a server asks to be left alone for longer."""


class Unavailable(Exception):
    """An address does not serve the file; another may."""


@dataclass(frozen=True)
class Patience:
    """How long a server is borne with."""

    attempts: int = 8
    """Attempts in a row that bring nothing new."""
    timeout: float = 60
    """Seconds without a byte after which a connection counts as stalled."""
    pause: float = 1
    """Seconds before the second attempt; twice as many before each one after it."""

    def wait(self, failures: int) -> None:
        """Pause after a number of failures in a row."""
        time.sleep(min(_LONGEST_WAIT, self.pause * 2 ** (failures - 1)))


def transfer(url: str, part: Part, *, size: int | None, pace: Pace, patience: Patience) -> None:
    """Bring a part to the whole of what `url` serves.

    Args:
        size: bytes that the file must have, if that is known.

    Raises:
        Unavailable: the file is not served, or the server failed too often in a row.
        InputError: what is served has another size.
    """
    from urllib3.exceptions import HTTPError, MaxRetryError

    failures, most = 0, part.size
    http = client(url, patience)
    while True:
        try:
            if _receive(http, url, part, size=size, pace=pace):
                return
            problem = "the connection was cut"
        except MaxRetryError as error:
            raise Unavailable(f"{url}: {_reason(error.reason)}") from error
        except HTTPError as error:
            problem = _reason(error)
        # Only what is beyond all earlier attempts is progress: where a server knows no ranges,
        # every attempt receives the same beginning again.
        failures = 0 if part.size > most else failures + 1
        most = max(most, part.size)
        if failures == patience.attempts:
            raise Unavailable(
                f"{url}: gave up after {failures} attempts without progress: {problem}"
            )
        _LOG.info("%s at %.1f MB; going on: %s", url, part.size / 1e6, problem)
        patience.wait(max(1, failures))


def client(url: str, patience: Patience) -> "PoolManager":
    """Return what asks `url`, through the proxy of the environment if it names one."""
    from urllib3 import PoolManager, ProxyManager, Retry, Timeout

    retries = Retry(
        total=None,
        connect=min(_CONNECTS, patience.attempts),
        read=patience.attempts,
        status=patience.attempts,
        other=0,
        redirect=10,
        status_forcelist=_BUSY,
        raise_on_status=False,
        backoff_factor=patience.pause / 2,
        retry_after_max=_LONGEST_WAIT,
    )
    timeout = Timeout(connect=patience.timeout, read=patience.timeout)
    address = urlsplit(url)
    proxy = getproxies().get(address.scheme)
    if proxy and not proxy_bypass(address.netloc):
        return ProxyManager(proxy, retries=retries, timeout=timeout)
    return PoolManager(retries=retries, timeout=timeout)


def _receive(http: "PoolManager", url: str, part: Part, *, size: int | None, pace: Pace) -> bool:
    """Ask once for what is missing, and return whether the part is whole then."""
    response = http.request(
        "GET", url, headers=_headers(url, part), preload_content=False, decode_content=False
    )
    with closing(response):
        if response.status == 416:  # the part is longer than the file: it is of something else
            part.discard()
            return False
        if response.status not in (200, 206):
            raise Unavailable(f"{url}: the server answers {response.status} {response.reason}")
        total = _go_on(response, url, part)
        if total is not None and size is not None and total != size:
            part.discard()
            raise InputError(f"{url} has {total:,} bytes, not {size:,}: it is another file")
        with part.append() as file:
            while block := response.read1(_BLOCK_BYTES):
                file.write(block)
                pace.count(len(block), at=part.size, total=total)
    return total is None or part.size == total


def _headers(url: str, part: Part) -> Mapping[str, str]:
    # As it is on the server: an encoding on the way would change size and checksum.
    headers = {"Accept-Encoding": "identity", "User-Agent": f"hyenadna/{hyenadna.__version__}"}
    version = part.version(url)
    if part.size and version:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": version}
    return headers


def _go_on(response: "BaseHTTPResponse", url: str, part: Part) -> int | None:
    """Make the part end where the answer begins, and return the size of the whole, if said."""
    if response.status == 206:
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != part.size:
            part.discard()
            raise Unavailable(f"{url}: the server sends another range than it was asked for")
        return None if found[2] == "*" else int(found[2])
    part.begin(url, _version(response))
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _version(response: "BaseHTTPResponse") -> str:
    """Return what If-Range may ask for: a strong entity tag, or else when it last changed."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _reason(error: BaseException | None) -> str:
    """Return what urllib3 says without the object that it says it of."""
    return re.sub(r"^\S*<?[\w.]+\([^)]*\)>?: ", "", str(error))
