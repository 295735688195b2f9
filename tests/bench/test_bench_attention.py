"""The bench that puts attention beside the long convolution, in small."""

from dataclasses import replace

import pytest
import torch

from hyenadna.bench import attention
from hyenadna.bench.attention import ATTENTION, Growth
from hyenadna.bench.results import Row
from hyenadna.bench.session import Case
from hyenadna.bench.timing import Stopwatch
from hyenadna.errors import InputError

CPU = torch.device("cpu")
CASE = Case(CPU, "fp32", 1, 64, 12)


def test_attention_and_ours_are_timed_at_each_length(options, said, recorded):
    rows = recorded(attention.bench, replace(options, channels=(64,)), said.append)
    measured = {(row.implementation, row.length) for row in rows if row.median_seconds}
    assert measured == {(x, length) for x in ("hyenadna", ATTENTION) for length in (8, 16)}


def test_attention_beyond_the_limit_has_a_status_and_ours_a_number(
    monkeypatch, options, said, recorded
):
    monkeypatch.setattr(Growth, "expected_seconds", lambda self, key, case, of: case.length / 10)
    options = replace(options, channels=(64,), limit=1)
    rows = recorded(attention.bench, options, said.append)
    status = {(row.implementation, row.length, row.status) for row in rows}
    assert status == {
        ("hyenadna", 8, ""),
        ("hyenadna", 16, ""),
        (ATTENTION, 8, ""),
        (ATTENTION, 16, "beyond the time limit"),
    }
    assert not any(row.median_seconds for row in rows if row.status)


def test_ratios_are_to_the_long_convolution(options, said, recorded):
    options = replace(options, channels=(64,), lengths=(8,))
    rows = recorded(attention.bench, options, said.append)
    assert [row.ratio_to_plain for row in rows if row.implementation == "hyenadna"] == [1, 1]


def test_a_width_of_no_whole_number_of_heads_is_an_input_error(options, said):
    with pytest.raises(InputError, match="100"):
        attention.bench(replace(options, channels=(128, 100)), said.append)


def test_time_is_expected_to_grow_as_the_square():
    growth = Growth(Stopwatch(CPU))
    growth.note("", [replace(attention.row(CASE, "forward"), median_seconds=0.5)])
    longer = replace(CASE, length=36)
    assert growth.expected_seconds("", longer, pytest.fail) == pytest.approx(4.5)


def test_a_long_input_is_not_tried_before_a_short_one():
    tried = []

    def call_of(case):
        tried.append(case.length)
        return lambda: (torch.zeros(1),)

    growth = Growth(Stopwatch(CPU))
    assert growth.expected_seconds("", replace(CASE, length=1 << 20), call_of) > 0
    assert tried == [attention.PILOT_LENGTH]
    assert growth.expected_seconds("other", CASE, call_of) == 0


def test_rows_of_ours_do_not_say_how_long_attention_takes():
    growth = Growth(Stopwatch(CPU))
    ours = Row("attention", "hyenadna", "", "forward", "fp32", 1, 64, 12, median_seconds=9.0)
    growth.note("", [ours])
    assert growth.expected_seconds("", CASE, pytest.fail) == 0


def test_attention_is_causal():
    q, k, v = torch.randn(3, 1, 2, 6, 64)
    whole = attention.attend(q, k, v)
    start = attention.attend(q[..., :4, :], k[..., :4, :], v[..., :4, :])
    torch.testing.assert_close(whole[..., :4, :], start)
