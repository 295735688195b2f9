"""The implicit filter on a CUDA device, against its formula in float64."""

from typing import Any

import pytest
import torch
from test_implicit_filter import (
    LONGEST,
    draw,
    error,
    exact,
    gradient_of_taps,
    original,
    trainable,
    with_gradients,
)

from hyenadna.ops.implicit_filter import FilterWeights, implicit_filter, implicit_filter_reference

pytestmark = pytest.mark.gpu


def cases(channels: int, length: int) -> tuple[FilterWeights, dict[str, Any]]:
    """Return weights of a released model's shape, and a filter as long as the sequence."""
    weights = FilterWeights(*(x.cuda() for x in draw(channels, 64, 2, 5)))
    return weights, {"length": length, "max_length": max(length, 2), "shift": 0.05}


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 1021, 8192, 100_003])
@pytest.mark.parametrize("channels", [1, 5, 130, 256])
def test_kernels_err_no_more_than_the_original_in_fp32(channels: int, length: int) -> None:
    weights, options = cases(channels, length)
    found = with_gradients(implicit_filter, weights, options)
    expected = exact(weights, options)
    with torch.device("cuda"):
        plain = with_gradients(original, weights, options)
    for x, like, other in zip(found, expected, plain, strict=True):
        assert x.dtype is torch.float32
        assert error(x, like) <= 2 * error(other, like) + 1e-6


def test_the_longest_filter_keeps_its_precision() -> None:
    weights, options = cases(8, LONGEST)
    k = implicit_filter(weights, **options)
    expected = implicit_filter_reference(FilterWeights(*(x.double() for x in weights)), **options)
    assert error(k, expected) < 1e-5


def test_positions_from_a_start_on_are_that_part_of_the_filter() -> None:
    weights, options = cases(128, 100_003)
    whole = trainable(weights, torch.float32)
    k = implicit_filter(whole, **options)[:, 75_001:]
    dk = gradient_of_taps(k)
    expected = torch.autograd.grad(k, whole, dk)
    options["length"] -= 75_001
    part = implicit_filter(whole, **options, start=75_001)
    torch.testing.assert_close(part, k)
    for x, like in zip(torch.autograd.grad(part, whole, dk), expected, strict=True):
        assert error(x, like) < 1e-5


@pytest.mark.parametrize("hidden", [16, 20, 32])
@pytest.mark.parametrize("layers", [0, 1, 3])
def test_other_networks(hidden: int, layers: int) -> None:
    weights = FilterWeights(*(x.cuda() for x in draw(5, hidden, layers, 7)))
    options = {"length": 1021, "max_length": 1026, "shift": 0.0}
    found = with_gradients(implicit_filter, weights, options)
    with torch.device("cuda"):
        plain = with_gradients(original, weights, options)
    for x, like, other in zip(found, exact(weights, options), plain, strict=True):
        assert error(x, like) <= 2 * error(other, like) + 1e-6


def test_gradients_repeat_to_the_bit() -> None:
    weights, options = cases(128, 100_003)
    first = with_gradients(implicit_filter, weights, options)
    second = with_gradients(implicit_filter, weights, options)
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize(("hidden", "dtype"), [(128, torch.float32), (16, torch.float64)])
def test_what_kernels_do_not_compute_is_left_to_torch(hidden: int, dtype: torch.dtype) -> None:
    weights = FilterWeights(*(x.cuda() for x in draw(5, hidden, 2, 5, dtype=dtype)))
    options = {"length": 300, "max_length": 1026, "shift": 0.0}
    found = with_gradients(implicit_filter, weights, options)
    for x, like in zip(found, exact(weights, options), strict=True):
        assert x.dtype is dtype
        assert error(x, like) < 1e-6


def test_nothing_as_long_as_the_sequence_is_stored_but_the_taps() -> None:
    weights, options = cases(128, 1 << 18)
    weights = trainable(weights, torch.float32)
    implicit_filter(weights, **options)  # compiles, and makes tables
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    k = implicit_filter(weights, **options)
    assert torch.cuda.max_memory_allocated() - before < 1.01 * k.nbytes
