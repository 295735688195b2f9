"""The implicit filter as a CPU computes it, against its formula in float64."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from hyenadna.ops import implicit_filter as module
from hyenadna.ops.implicit_filter import (
    FilterWeights,
    decay_rates,
    implicit_filter,
    implicit_filter_reference,
)

LONGEST = 1_000_002
SIZES = {  # channels, hidden, inner layers, features, length, max_length
    "least": (1, 16, 1, 3, 1, 2),
    "two taps": (5, 16, 2, 5, 2, LONGEST),
    "below a block": (5, 16, 2, 5, 31, 40),
    "odd hidden layers": (5, 20, 3, 7, 37, 41),
    "no inner layers": (5, 16, 0, 5, 65, LONGEST),
    "many channels": (130, 32, 2, 5, 67, 130),
    "as released": (128, 64, 2, 5, 131, LONGEST),
    "many features": (3, 16, 2, 17, 65, LONGEST),
}

by_size = pytest.mark.parametrize("size", SIZES)


@pytest.fixture(autouse=True)
def _as_an_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take inputs as small as these through the operator too."""
    monkeypatch.setattr(module, "COMPOSED_POSITIONS", 0)


def draw(
    channels: int, hidden: int, layers: int, features: int, *, dtype: torch.dtype = torch.float32
) -> FilterWeights:
    """Return weights as a model starts with, the frequencies apart."""
    generator = torch.Generator().manual_seed(hidden)

    def uniform(*shape: int) -> Tensor:
        values = torch.rand(*shape, generator=generator, dtype=torch.float64)
        return ((2 * values - 1) / math.sqrt(shape[-1])).to(dtype)

    return FilterWeights(
        uniform(hidden, features),
        uniform(hidden),
        uniform(layers, hidden, hidden),
        uniform(layers, hidden),
        uniform(channels, hidden),
        10 + uniform(hidden),
    )


def case(size: str) -> tuple[FilterWeights, dict[str, Any]]:
    *sizes, length, max_length = SIZES[size]
    return draw(*sizes), {"length": length, "max_length": max_length, "shift": 0.05}


def trainable(weights: FilterWeights, dtype: torch.dtype) -> FilterWeights:
    return FilterWeights(*(x.to(dtype).requires_grad_() for x in weights))


def gradient_of_taps(k: Tensor) -> Tensor:
    return torch.randn(k.shape, generator=torch.Generator().manual_seed(0), device="cpu").to(k)


def original(weights: FilterWeights, *, length: int, max_length: int, shift: float) -> Tensor:
    """The formula as published, in the weights' dtype from the positions on."""
    dtype, features = weights.freq.dtype, weights.first_weight.shape[1]
    bands = (features - 1) // 2
    position = torch.linspace(0, max_length - 1, max_length, dtype=dtype)[:length, None]
    time = torch.linspace(0, 1, max_length, dtype=dtype)[:length, None]
    frequency = torch.linspace(1e-4, bands - 1, bands, dtype=dtype)
    angle = frequency * (2 * math.pi * position / max_length)
    h = torch.cat([time, angle.cos(), -angle.sin()], dim=1)
    h = torch.sin(weights.freq * (h @ weights.first_weight.mT + weights.first_bias))
    for weight, bias in zip(weights.inner_weights, weights.inner_biases, strict=True):
        h = torch.sin(weights.freq * (h @ weight.mT + bias))
    rates = decay_rates(len(weights.last_weight), h.device).to(dtype)
    return ((h @ weights.last_weight.mT) * (torch.exp(-time * rates) + shift)).mT


def with_gradients(form: Any, weights: FilterWeights, options: dict[str, Any]) -> list[Tensor]:
    """Return the taps by some form of the formula, and the gradients of the weights."""
    weights = trainable(weights, weights.freq.dtype)
    k = form(weights, **options)
    dk = gradient_of_taps(k)
    gradients = torch.autograd.grad(k, weights, dk, allow_unused=True, materialize_grads=True)
    return [k.detach(), *gradients]


def exact(weights: FilterWeights, options: dict[str, Any]) -> list[Tensor]:
    """Return the taps and the gradients of the weights by the formula, all of it in float64."""
    weights = FilterWeights(*(x.double() for x in weights))
    return with_gradients(implicit_filter_reference, weights, options)


def error(x: Tensor, like: Tensor) -> float:
    """Root mean square of the difference, in shares of the largest number."""
    if not like.numel():
        return 0.0
    return float((x - like).square().mean().sqrt() / like.abs().max())


@by_size
def test_cpu_agrees_with_the_formula(size: str) -> None:
    weights, options = case(size)
    for x, like in zip(
        with_gradients(implicit_filter, weights, options), exact(weights, options), strict=True
    ):
        assert x.dtype is torch.float32
        assert error(x, like) < 1e-6


def test_gradients() -> None:
    weights = trainable(draw(3, 4, 2, 5), torch.float64)
    options = {"length": 9, "max_length": 11, "shift": 0.05}
    assert torch.autograd.gradcheck(
        lambda *weights: implicit_filter(FilterWeights(*weights), **options), tuple(weights)
    )


def test_reference_agrees_with_the_original_in_float64() -> None:
    weights = FilterWeights(*(x.double() for x in draw(3, 8, 2, 5)))
    options = {"length": 50, "max_length": 77, "shift": 0.05}
    k = implicit_filter_reference(weights, **options)
    torch.testing.assert_close(k, original(weights, **options))


def test_blocks_of_positions_equal_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = trainable(draw(3, 8, 2, 5), torch.float64)
    options = {"length": 50, "max_length": 77, "shift": 0.05}
    whole = implicit_filter(weights, **options)
    gradients = torch.autograd.grad(whole.square().sum(), weights)
    monkeypatch.setattr(module, "BLOCK_POSITIONS", 16)
    blocked = implicit_filter(weights, **options)
    torch.testing.assert_close(blocked, whole)
    torch.testing.assert_close(torch.autograd.grad(blocked.square().sum(), weights), gradients)


@pytest.mark.parametrize("composed", [0, 1 << 14])
def test_positions_from_a_start_on_are_that_part_of_the_filter(
    composed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = trainable(draw(3, 8, 2, 5), torch.float64)
    options: dict[str, Any] = {"max_length": 77, "shift": 0.05}
    whole = implicit_filter(weights, length=77, **options)[:, 20:70]
    gradients = torch.autograd.grad(whole.square().sum(), weights)
    monkeypatch.setattr(module, "COMPOSED_POSITIONS", composed)
    monkeypatch.setattr(module, "BLOCK_POSITIONS", 16)
    part = implicit_filter(weights, length=50, start=20, **options)
    torch.testing.assert_close(part, whole)
    torch.testing.assert_close(torch.autograd.grad(part.square().sum(), weights), gradients)


def test_given_features_take_the_place_of_the_formula() -> None:
    weights, options = case("below a block")
    position = torch.arange(options["length"])
    features = module.positional_features(position, features=5, max_length=options["max_length"])
    features = features.float().requires_grad_()
    k = implicit_filter_reference(weights, **options, features=features)
    torch.testing.assert_close(k, implicit_filter(weights, **options), rtol=1e-4, atol=1e-5)
    k.sum().backward()
    assert features.grad is not None


def test_autocast_does_not_narrow_the_filter() -> None:
    weights, options = case("as released")
    weights = trainable(weights, torch.float32)
    k = implicit_filter(weights, **options)
    gradients = torch.autograd.grad(k.sum(), weights)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrowed = implicit_filter(weights, **options)
        narrowed_gradients = torch.autograd.grad(narrowed.sum(), weights)
    torch.testing.assert_close(narrowed, k, rtol=0, atol=0)
    torch.testing.assert_close(narrowed_gradients, gradients, rtol=0, atol=0)


def test_operators_are_registered_as_torch_expects() -> None:
    weights, options = case("below a block")
    arguments = (*trainable(weights, torch.float32), *options.values(), 3)
    torch.library.opcheck(torch.ops.hyenadna.implicit_filter.default, arguments)
    dk = torch.randn(5, options["length"])
    arguments = (dk, *(x.detach() for x in weights), *options.values(), 3)
    torch.library.opcheck(torch.ops.hyenadna.implicit_filter_backward.default, arguments)


def test_second_derivatives_are_refused() -> None:
    weights = trainable(draw(3, 8, 2, 5), torch.float32)
    k = implicit_filter(weights, length=5, max_length=7, shift=0.0)
    (gradient,) = torch.autograd.grad(k.square().sum(), weights.freq, create_graph=True)
    with pytest.raises(RuntimeError, match="first derivatives only"):
        gradient.sum().backward()


def test_weights_of_other_shapes_are_refused() -> None:
    weights = draw(3, 8, 2, 5)
    for wrong in (
        weights._replace(freq=weights.freq[None]),
        weights._replace(inner_weights=weights.inner_weights[0]),
        weights._replace(last_weight=weights.last_weight[:, :4]),
        weights._replace(first_weight=weights.first_weight[:, :4]),
    ):
        with pytest.raises(ValueError, match=r"takes weights \(F, E\)"):
            implicit_filter(wrong, length=5, max_length=7, shift=0.0)


@pytest.mark.parametrize(
    ("start", "length", "max_length"), [(0, 0, 7), (0, 8, 7), (0, 1, 1), (3, 5, 7), (-1, 1, 7)]
)
def test_lengths_that_do_not_fit_are_refused(start: int, length: int, max_length: int) -> None:
    options = {"start": start, "length": length, "max_length": max_length}
    with pytest.raises(ValueError, match="takes length from 1 to max_length"):
        implicit_filter(draw(3, 8, 2, 5), shift=0.0, **options)
