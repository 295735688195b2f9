"""Kernels of the implicit filter, in Triton's interpreter or on a GPU, against float64."""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from typing import Any

import pytest
import torch
from test_implicit_filter import (
    LONGEST,
    by_size,
    case,
    error,
    exact,
    gradient_of_taps,
    original,
    with_gradients,
)
from torch import Tensor

from hyenadna.ops.implicit_filter import FilterWeights, positional_features

triton = pytest.importorskip("triton", reason="Triton has no wheel for this platform")
tl = triton.language
kernels = pytest.importorskip("hyenadna.ops.implicit_filter_kernels")
_cosine, _sine, _reduce = kernels._cosine, kernels._sine, kernels._reduce
_features = kernels._features


@triton.jit
def features_kernel(at, turns, y, end, N: tl.constexpr, EP: tl.constexpr):
    n = tl.arange(0, N)
    e = tl.arange(0, EP)[:, None]
    tl.store(y + n[None, :] * EP + e, _features(turns, tl.load(at + n), end, EP))


@triton.jit
def sine_kernel(x, sine, cosine, N: tl.constexpr):
    n = tl.arange(0, N)
    r, sign = _reduce(tl.load(x + n))
    tl.store(sine + n, _sine(r, sign))
    tl.store(cosine + n, _cosine(r, sign))


def check(found: list[Tensor], weights: FilterWeights, options: dict[str, Any]) -> None:
    """Compare taps and gradients with float64: at most twice the error of the original in fp32."""
    expected, plain = exact(weights, options), with_gradients(original, weights, options)
    for x, like, other in zip(found, expected, plain, strict=True):
        assert x.shape == like.shape
        assert error(x, like) <= 2 * error(other, like) + 1e-6


def by_kernels(weights: FilterWeights, options: dict[str, Any]) -> list[Tensor]:
    k = kernels.forward(weights, **options)
    return [k, *kernels.backward(gradient_of_taps(k), weights, **options)]


@pytest.mark.usefixtures("poisoned")
@by_size
def test_kernels_err_no_more_than_the_original_in_fp32(size: str) -> None:
    weights, options = case(size)
    check(by_kernels(weights, options), weights, options)


@pytest.mark.usefixtures("poisoned")
def test_programs_that_share_the_positions_sum_up(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, options = case("two taps")
    options["length"] = 131
    monkeypatch.setattr(kernels, "MOST_PROGRAMS", 2)
    check(by_kernels(weights, options), weights, options)


@pytest.mark.usefixtures("poisoned")
def test_positions_from_a_start_on_are_that_part_of_the_filter() -> None:
    """Their gradients are those of the whole filter where no other tap counts."""
    weights, options = case("two taps")
    options["length"], start = 131, 70
    whole = kernels.forward(weights, **options)
    dk = gradient_of_taps(whole)
    dk[:, :start] = 0
    expected = kernels.backward(dk, weights, **options)
    options["length"] -= start
    part = kernels.forward(weights, **options, start=start)
    gradients = kernels.backward(dk[:, start:], weights, **options, start=start)
    torch.testing.assert_close(part, whole[:, start:])
    for x, like in zip(gradients, expected, strict=True):
        assert error(x, like) < 1e-5


def test_gradients_of_taps_are_taken_as_they_lie() -> None:
    weights, options = case("below a block")
    dk = gradient_of_taps(torch.empty(5, 31))
    expected = kernels.backward(dk, weights, **options)
    wider = torch.randn(5, 40)
    wider[:, 4:35] = dk
    for same in (wider[:, 4:35], dk.mT.contiguous().mT):
        gradients = kernels.backward(same, weights, **options)
        torch.testing.assert_close(gradients, expected, rtol=0, atol=0)


def features_by_kernel(position: Tensor, *, features: int, max_length: int) -> Tensor:
    """Return what the kernels make of positions (n,), (n, E)."""
    turns = kernels._turns(features, 16, max_length, position.device)
    y = torch.empty(len(position), 16)
    features_kernel[(1,)](position, turns, y, max_length - 1.0, N=len(position), EP=16)
    assert (y[:, features] == 1).all()  # multiplies the biases
    assert (y[:, features + 1 :] == 0).all()
    return y[:, :features]


@pytest.mark.parametrize(
    ("features", "max_length"), [(3, 2), (5, 1026), (5, LONGEST), (9, LONGEST)]
)
def test_positions_are_known_to_single_precision(features: int, max_length: int) -> None:
    generator = torch.Generator().manual_seed(0)
    position = torch.randint(max_length, (1024,), generator=generator)
    position[:2] = torch.tensor([0, max_length - 1])
    expected = positional_features(position, features=features, max_length=max_length)
    found = features_by_kernel(position, features=features, max_length=max_length)
    assert (found - expected).abs().max() < 1.2e-7


@pytest.mark.parametrize("most", [1.0, 100.0, 10_000.0])
def test_sines_are_those_of_single_precision(most: float) -> None:
    x = torch.linspace(-most, most, 1 << 14)
    sine, cosine = torch.empty_like(x), torch.empty_like(x)
    sine_kernel[(1,)](x, sine, cosine, N=len(x))
    assert (sine - x.double().sin()).abs().max() < 1.2e-7
    assert (cosine - x.double().cos()).abs().max() < 2e-7  # of gradients only
