"""The bench of what goes with the long convolution, in small."""

from dataclasses import replace

import pytest
import torch

from hyenadna.bench import operators
from hyenadna.bench.operators import OPERATORS
from hyenadna.bench.session import Case, Session
from hyenadna.errors import InputError

CASE = Case(torch.device("cpu"), "bf16", 2, 3, 10)


@pytest.mark.parametrize("name", OPERATORS)
def test_each_operator_is_timed_beside_its_plain_form(monkeypatch, options, said, name):
    rows = []
    record = Session.record
    monkeypatch.setattr(Session, "record", lambda self, new: rows.extend(new) or record(self, new))
    operators.bench(replace(options, against=(name,)), said.append)
    assert [row.status for row in rows] == [""] * 8
    assert {row.implementation for row in rows} == {"hyenadna", OPERATORS[name].plain}
    assert {(row.operation, row.direction) for row in rows} == {
        (name, "forward"),
        (name, "forward+backward"),
    }


def test_the_short_convolution_takes_three_streams_and_gives_two():
    projected, weight, bias = operators.short_conv_inputs(CASE)
    assert projected.shape == (2, 9, 10)
    post, gated = OPERATORS["short_conv"].reference(CASE)(projected, weight, bias)
    assert post.shape == gated.shape == (2, 3, 10)


def test_the_implicit_filter_gives_taps_in_fp32_whatever_the_activations():
    weights = operators.implicit_filter_inputs(CASE)
    taps = OPERATORS["implicit_filter"].ours(CASE)(*weights)
    assert (taps.shape, taps.dtype) == ((3, 10), torch.float32)


def test_an_operator_that_is_not_known_is_an_input_error(options, said):
    with pytest.raises(InputError, match="choose short_conv"):
        operators.bench(replace(options, against=("conv",)), said.append)
