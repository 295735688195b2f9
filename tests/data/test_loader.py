"""Items made ready by a thread."""

import threading
import time

import pytest

from hyenadna.data.loader import prefetch


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_items_come_in_order():
    assert list(prefetch(range(100))) == list(range(100))


def test_no_items_are_none():
    assert list(prefetch([])) == []


def test_none_is_an_item_like_any_other():
    assert list(prefetch([None, 1, None])) == [None, 1, None]


def test_items_are_made_by_another_thread():
    names = prefetch(threading.current_thread().name for _ in range(3))
    assert all(name.startswith("prefetch") for name in names)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_no_more_than_depth_are_made_ahead(depth):
    made = []
    items = prefetch((made.append(k) or k for k in range(100)), depth=depth)
    for taken in range(1, 4):
        next(items)
        time.sleep(0.05)
        assert len(made) == taken + depth
    items.close()


def test_the_next_item_is_made_while_one_is_in_use():
    ready = threading.Event()

    def items():
        yield 0
        ready.set()
        yield 1

    for item in prefetch(items()):
        assert item == 1 or ready.wait(timeout=10)


def test_an_error_is_raised_where_its_item_is_consumed():
    def items():
        yield 1
        yield 2
        raise ValueError("the third is broken")

    received = []
    with pytest.raises(ValueError, match="the third is broken"):
        received.extend(prefetch(items()))
    taken = prefetch(items())
    assert [next(taken), next(taken)] == [1, 2]
    with pytest.raises(ValueError, match="the third is broken"):
        next(taken)
    assert not threads()


def test_closing_it_ends_the_thread():
    items = prefetch(iter(int, 1))
    next(items)
    assert len(threads()) == 1
    items.close()
    assert not threads()


def test_the_thread_ends_with_the_items():
    list(prefetch(range(10)))
    assert not threads()


def test_an_error_of_the_consumer_ends_the_thread():
    def consume():
        for item in prefetch(iter(int, 1)):
            raise RuntimeError(f"cannot use {item}")

    with pytest.raises(RuntimeError, match="cannot use 0"):
        consume()
    assert not threads()


def test_a_depth_of_nothing_is_refused():
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        prefetch([], depth=0)
