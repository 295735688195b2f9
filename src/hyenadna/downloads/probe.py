"""Whether files can be had, asked before the first job of a run, without fetching them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from hyenadna.downloads.fetch import Downloader
from hyenadna.downloads.table import Source
from hyenadna.downloads.transfer import Patience, client
from hyenadna.errors import InputError

_HASTE = Patience(attempts=0, timeout=10)
"""A server that does not answer now may do so when it is its turn."""
_GONE = (404, 410)
"""Answers that mean the same tomorrow; others may be of a server that minds how it is asked."""
_UNRESOLVED = "there is no such server, or no internet here"
_AT_ONCE = 8


def check_available(sources: Sequence[Source], downloader: Downloader) -> None:
    """Refuse what would be fetched in vain: an address without the file, or with another.

    Raises:
        InputError: names each file, and what to do.
    """
    with ThreadPoolExecutor(_AT_ONCE) as asking:
        problems = list(asking.map(lambda source: _problems(source, downloader), sources))
    found = [
        (source, why) for source, why in zip(sources, problems, strict=True) if why is not None
    ]
    if not found:
        return
    files = "1 file is" if len(found) == 1 else f"{len(found)} files are"
    if downloader.wishes.offline:
        commands = "".join(f"\n  hyenadna download {source.target}" for source, _ in found)
        place = downloader.wishes.mirror or "without a mirror"
        raise InputError(
            f"offline ({place}), and {files} missing; where there is internet give these commands "
            f"in this folder, or in one whose resources/ is then the mirror:{commands}"
        )
    servers = sorted({urlsplit(source.url).hostname or "" for source, _ in found})
    reasons = [reason for _, why in found for reason in why]
    if len(servers) > 1 and all(reason.endswith(_UNRESOLVED) for reason in reasons):
        raise InputError(
            f"no internet here: {files} missing, and none of {', '.join(servers)} can be found; "
            "bring them from elsewhere, with `mirror` and `offline` as docs/downloads.md says"
        )
    lines = "".join(
        f"\n  {source.target} ({source.where}): {'; '.join(why)}" for source, why in found
    )
    raise InputError(f"{files} not to be had; mend the address, or set `mirror`:{lines}")


def _problems(source: Source, downloader: Downloader) -> list[str] | None:
    """Return why a file cannot be had from any address, or None where it can or may be."""
    problems = []
    for address in downloader.addresses(source):
        problem = _problem_of(address, downloader.expected(source).bytes)
        if not problem:
            return None
        problems.append(problem)
    return problems


def _problem_of(address: str, size: int | None) -> str:
    from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError

    if "://" not in address:
        return "" if Path(address).is_file() else f"there is no {address}"
    try:
        answer = client(address, _HASTE).request(
            "HEAD", address, headers={"Accept-Encoding": "identity"}
        )
    except MaxRetryError as error:
        unknown = isinstance(error.reason, NameResolutionError)
        return f"{address}: {_UNRESOLVED}" if unknown else ""
    except HTTPError:
        return ""
    if answer.status in _GONE:
        return f"{address}: the server answers {answer.status} {answer.reason}"
    length = answer.headers.get("Content-Length", "")
    if answer.status == 200 and size is not None and length.isdecimal() and int(length) != size:
        return f"{address} has {int(length):,} bytes, not {size:,}: it is another file"
    return ""
