"""Items made ready by a thread while others are in use."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

T = TypeVar("T")

_END = object()


def prefetch(items: Iterable[T], *, depth: int = 2) -> Generator[T, None, None]:
    """Yield `items` in order, of which a background thread makes up to `depth` ahead.

    The thread starts with the first item asked for and ends with the last one, or when this
    iterator is closed. What goes wrong while an item is made is raised where it is consumed.
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1, got {depth}")
    return _prefetch(iter(items), depth)


def _prefetch(items: Iterator[T], depth: int) -> Generator[T, None, None]:
    # One thread, as an iterator cannot be advanced by two at once.
    maker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch")
    try:
        ahead = deque(maker.submit(next, items, _END) for _ in range(depth))
        while (item := ahead.popleft().result()) is not _END:
            ahead.append(maker.submit(next, items, _END))
            yield cast(T, item)
    finally:
        maker.shutdown(cancel_futures=True)
