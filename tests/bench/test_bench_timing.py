"""Calls are timed in turns, as many as there is time for, and may fail."""

import math

import pytest
import torch

from hyenadna.bench.timing import (
    ByNumpy,
    Effort,
    Stopwatch,
    Timing,
    Unavailable,
    relative_error,
    time_in_rounds,
)

WATCH = Stopwatch(torch.device("cpu"))
NOTHING = (torch.zeros(1),)


def called_in_turns(effort, names="abc"):
    order = []
    calls = {name: lambda name=name: order.append(name) or NOTHING for name in names}
    timings = time_in_rounds(calls, WATCH, effort)
    return "".join(order), timings


def test_calls_are_timed_in_turns_with_another_first_each_round():
    order, _ = called_in_turns(Effort(repeats=4))
    assert order[-12:] == "abcbcacababc"


def test_each_call_is_timed_as_often_as_asked_for():
    _, timings = called_in_turns(Effort(repeats=5, seconds=60))
    assert [len(timing.seconds) for timing in timings.values()] == [5, 5, 5]


def test_three_rounds_are_taken_however_little_time_there_is():
    _, timings = called_in_turns(Effort(repeats=100, seconds=0))
    assert len(timings["a"].seconds) == 3


def test_a_call_that_fails_leaves_its_reason_and_the_others_go_on():
    def fails():
        raise NotImplementedError("not\nfor this shape")

    timings = time_in_rounds({"bad": fails, "good": lambda: NOTHING}, WATCH, Effort(repeats=3))
    assert timings["bad"].status == "does not run here: NotImplementedError: not for this shape"
    assert not timings["bad"].seconds
    assert len(timings["good"].seconds) == 3


def test_a_call_that_fails_later_on_is_not_called_again():
    calls = []

    def fails_the_fourth_time():
        calls.append(None)
        if len(calls) == 4:
            raise RuntimeError("late")
        return NOTHING

    timing = time_in_rounds({"": fails_the_fourth_time}, WATCH, Effort(repeats=9, seconds=9))[""]
    assert timing.status.endswith("late")
    assert len(calls) == 4


def test_what_is_unavailable_says_so_in_its_own_words():
    def absent():
        raise Unavailable("not installed")

    assert time_in_rounds({"": absent}, WATCH, Effort())[""].status == "not installed"


def test_want_of_memory_is_a_status():
    timing = time_in_rounds({"": lambda: (torch.empty(1 << 60),)}, WATCH, Effort())[""]
    assert timing.status == "out of memory"


def test_what_is_not_accepted_is_not_timed():
    timing = time_in_rounds(
        {"": lambda: NOTHING}, WATCH, Effort(), accept=lambda name, result: "wrong"
    )[""]
    assert (timing.status, timing.seconds) == ("wrong", [])


def test_quartiles_are_those_of_the_rounds():
    assert Timing([5.0, 1.0, 3.0, 2.0, 4.0]).quartiles() == (2.0, 3.0, 4.0)
    assert Timing([7.0]).quartiles() == (7.0, 7.0, 7.0)


def test_the_error_of_a_result_is_that_of_its_worst_tensor():
    exact = (torch.ones(4), torch.ones(4))
    assert relative_error((torch.ones(4), torch.full((4,), 1.5)), exact) == pytest.approx(0.5)
    assert math.isnan(relative_error((torch.ones(4), torch.full((4,), torch.nan)), exact))


def test_a_cpu_tells_the_most_that_tensors_took_at_once_beside_the_result():
    x = torch.ones(1 << 20)
    assert WATCH.peak_bytes(lambda: ((x + 1) * 2,)) == pytest.approx(4 << 20, rel=1e-4)


def test_what_other_libraries_allocate_is_not_told_as_nothing():
    timings = time_in_rounds({"": ByNumpy(lambda: NOTHING)}, WATCH, Effort(repeats=1))
    assert timings[""].peak_bytes is None


@pytest.mark.gpu
def test_a_gpu_tells_seconds_and_peak_memory(cuda):
    watch = Stopwatch(cuda)
    x = torch.ones(1 << 20, device=cuda)
    seconds, _ = watch.time(lambda: (x + 1,))
    assert 0 < seconds < 1
    assert watch.peak_bytes(lambda: ((x + 1) * 2,)) == x.numel() * x.element_size()
